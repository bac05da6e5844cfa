//! Simulated lock boards and scanners.
