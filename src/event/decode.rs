//! stub
use super::Event;

/// Who posted a body; Falco itself may leave out what Falcosidekick always sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Falco's `http_output`, known by its User-Agent.
    Falco,
    /// Falcosidekick or anything else.
    Other,
}

/// Why a body was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// stub
    #[error("stub")]
    Stub,
}

/// Splits a body into its events and checks each of them; the slices are the events byte for byte.
pub fn split(_body: &[u8], _sender: Sender) -> Result<Vec<&[u8]>, DecodeError> {
    todo!()
}

/// Decodes one event that [`split`] accepted.
pub fn decode(_raw: &[u8]) -> Result<Event, DecodeError> {
    todo!()
}
