//! `completions`: what a shell needs to complete our commands. Static text, made from the one definition.

use crate::cli::exit::{Exit, Failed, Outcome};
use crate::cli::manual;
use crate::out;
use clap::Args;
use clap_complete::Shell;

/// `completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// bash, elvish, fish, powershell or zsh
    #[arg(hide_possible_values = true)]
    pub shell: Shell,
}

/// Prints the completions.
///
/// # Errors
/// Standard output failed.
pub fn completions(args: &CompletionsArgs) -> Outcome {
    out::print_text(&text(args.shell)).map_err(Failed::stdout)?;
    Ok(Exit::Ok)
}

fn text(shell: Shell) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut manual::command(), "btcbot", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_shell_learns_every_command() {
        let root = manual::command();
        for shell in Shell::value_variants() {
            let text = text(*shell);
            for command in root.get_subcommands() {
                assert!(
                    text.contains(command.get_name()),
                    "{shell} {}",
                    command.get_name()
                );
            }
        }
    }
}
