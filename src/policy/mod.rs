//! What a domain publishes about how mail is to be sent to it: TLSA records (RFC 6698, RFC 7672), MTA-STS (RFC 8461) and
//! TLS-RPT (RFC 8460). Types and parsers, no I/O: `route` brings the records, `transport` measures a server by them.
//!
//! Everything read here was written by somebody else. It is bounded, and what is wrong with it is said with the place where it is
//! wrong, because that is what its owner has to mend.

mod dane;
mod fetched;
pub mod mta_sts;
pub mod tls_rpt;
mod tlsa;
mod txt;

pub use self::dane::{DaneFault, DaneResult, DaneVerdict, Matched, RecordVerdict};
pub use self::fetched::{FETCH_SIZE_LIMIT, FETCH_TIME_LIMIT, FetchFailure, FetchStep, Fetched};
pub use self::tlsa::{Matching, Selector, Tlsa, TlsaError, Unusable, Usage, public_key};
pub use self::txt::{FieldFault, TxtError, join};
