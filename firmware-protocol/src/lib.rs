//! The bytes between a controller and its lock boards.
#![no_std]
