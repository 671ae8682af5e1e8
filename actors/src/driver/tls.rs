//! The one TLS set-up of the process: rustls with ring, roots compiled in, HTTP/1.1 only.
//!
//! Nothing in it can be switched off or widened from outside (I15), and the system's certificate store
//! is not read: the image needs none.

use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Makes the client configuration that submits, reads and the stream share.
pub fn client_config() -> Arc<ClientConfig> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring serves TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_1_1_is_offered_and_no_client_certificate() {
        let config = client_config();
        assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
        assert!(!config.client_auth_cert_resolver.has_certs());
        assert!(!config.enable_early_data, "early data can be replayed");
    }
}
