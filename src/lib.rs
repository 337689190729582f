//! smtpprobe
pub mod demo;
pub mod route;
pub mod settings;
pub mod smtp;
pub mod target;
