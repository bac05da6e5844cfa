//! The part that decides. Pure: no clock, no dice, no IO; a moment and an input give events to make durable and effects to carry out.

pub mod screen;
pub mod vocabulary;
