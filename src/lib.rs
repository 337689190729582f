//! smtpprobe
pub mod settings;
pub mod smtp;
pub mod target;
