//! The LoRA adapters that requests may choose.

use crate::device::{Corrections, Device};
use crate::lora::Adapter;
use std::collections::HashMap;
use std::rc::Rc;

/// An adapter that a generator holds; no number comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AdapterId(u64);

#[cfg(test)]
impl AdapterId {
    /// The adapter of that number, in tests that hold none.
    pub fn of(number: u64) -> Self {
        AdapterId(number)
    }
}

/// Adapters on the device, by number.
#[derive(Default)]
pub struct Adapters {
    all: HashMap<AdapterId, Adapter>,
    next: u64,
}

impl Adapters {
    /// Adds an adapter under a new number.
    pub fn add(&mut self, adapter: Adapter) -> AdapterId {
        let id = AdapterId(self.next);
        self.next += 1;
        self.all.insert(id, adapter);
        id
    }

    /// Frees an adapter's memory; → whether it was there. No plan with its corrections may run again.
    pub fn remove(&mut self, id: AdapterId, device: &mut Device) -> bool {
        let adapter = self.all.remove(&id);
        adapter.map(|adapter| adapter.free(device)).is_some()
    }

    /// An adapter. Panics if there is none with this number.
    pub fn get(&self, id: AdapterId) -> &Adapter {
        &self.all[&id]
    }

    /// The corrections of an adapter, if one is named.
    pub fn corrections(&self, id: Option<AdapterId>) -> Option<Rc<Corrections>> {
        id.map(|id| self.get(id).corrections.clone())
    }
}
