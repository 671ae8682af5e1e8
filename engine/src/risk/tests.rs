//! Scripts for the whole gate.
