//! A record that looks a field up once, for many conditions that ask for the same few.

use std::cell::RefCell;

use super::{Operand, Record};

/// A record and what was asked of it.
pub(in crate::route) struct Memo<'r> {
    record: &'r dyn Record,
    known: RefCell<Vec<(Box<str>, Option<Operand<'r>>)>>,
}

impl<'r> Memo<'r> {
    pub(in crate::route) fn new(record: &'r dyn Record) -> Self {
        Self {
            record,
            known: RefCell::default(),
        }
    }
}

impl Record for Memo<'_> {
    fn field(&self, name: &str) -> Option<Operand<'_>> {
        let mut known = self.known.borrow_mut();
        if let Some((_, operand)) = known.iter().find(|(known, _)| **known == *name) {
            return operand.clone();
        }
        let operand = self.record.field(name);
        known.push((name.into(), operand.clone()));
        operand
    }
}
