//! A mock MonoCloud tenant in the process.
