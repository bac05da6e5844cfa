//! What a cabinet and the office say to each other.
