//! Every suite that drives the built binary, as one test program: the binary is linked once.

mod architecture;
mod contracts;
mod docs;
mod faults;
mod harness;
mod hostile;
mod layers;
mod process;
mod results;
mod usage;
