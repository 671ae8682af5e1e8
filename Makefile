# Each target is one line, and CI runs the same line.

.PHONY: check test demo dashboards check-deploy reference

check:
	cargo fmt --check && cargo clippy --workspace --all-targets --locked -- -D warnings

test:
	cargo test --workspace --locked

demo:
	cargo run --release --locked -- demo

dashboards:
	python3 deploy/grafana/generate.py

check-deploy:
	bash .ci/deploy.sh

reference:
	BTCBOT_WRITE_REFERENCE=1 cargo test --workspace --test reference --locked
