//! Which tensors share memory.

use super::{Program, Slot, SlotKind};

/// The buffers that passing tensors and scratch share, each by as many as their lifetimes allow.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Layout {
    /// The size of each.
    pub(crate) bytes: Vec<u64>,
    /// That of every passing slot that a node touches.
    pub(crate) of_slot: Vec<Option<usize>>,
    /// That of every node's scratch.
    pub(crate) of_scratch: Vec<Option<usize>>,
}

/// The buffers so far, and those that nobody uses at the moment.
#[derive(Default)]
struct Pool {
    bytes: Vec<u64>,
    free: Vec<usize>,
}

impl Pool {
    /// The smallest free buffer that is large enough; else the largest free one, enlarged; else a new one.
    fn take(&mut self, bytes: u64) -> usize {
        let fits =
            self.free.iter().copied().filter(|i| self.bytes[*i] >= bytes).min_by_key(|i| self.bytes[*i]);
        let chosen = fits.or_else(|| self.free.iter().copied().max_by_key(|i| self.bytes[*i]));
        match chosen {
            Some(chosen) => {
                self.free.retain(|i| *i != chosen);
                self.bytes[chosen] = self.bytes[chosen].max(bytes);
                chosen
            }
            None => {
                self.bytes.push(bytes);
                self.bytes.len() - 1
            }
        }
    }
}

impl Program {
    /// Memory for every passing slot, and for each node's scratch of `scratch` bytes.
    ///
    /// A slot has its buffer from the first node that touches it to the last, that node included; a node's own tensors and
    /// its scratch are never the same buffer.
    pub(crate) fn layout(&self, scratch: &[u64]) -> Layout {
        let mut last = vec![None; self.slots.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            node.slots.iter().for_each(|(_, slot)| last[slot.0] = Some(i));
        }
        let mut pool = Pool::default();
        let (mut of_slot, mut of_scratch) = (vec![None; self.slots.len()], Vec::new());
        for (i, node) in self.nodes.iter().enumerate() {
            let mut touched: Vec<usize> = node.slots.iter().map(|(_, Slot(slot))| *slot).collect();
            touched.retain(|slot| matches!(self.slots[*slot].kind, SlotKind::Passing));
            touched.sort_unstable();
            touched.dedup();
            for &slot in &touched {
                of_slot[slot].get_or_insert_with(|| pool.take(self.bytes(Slot(slot))));
            }
            let lent = (scratch[i] > 0).then(|| pool.take(scratch[i]));
            of_scratch.push(lent);
            pool.free.extend(lent);
            pool.free.extend(
                touched.iter().filter(|slot| last[**slot] == Some(i)).filter_map(|slot| of_slot[*slot]),
            );
        }
        Layout { bytes: pool.bytes, of_slot, of_scratch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::ActivationDesc;

    /// A chain a -> b -> c -> d of activations on `sizes` numbers each; the last is held.
    fn chain(sizes: &[usize]) -> Program {
        let mut program = Program::default();
        let first = program.held(&[1, sizes[0]]);
        let mut x = first;
        for &width in sizes {
            let out = program.passing(&[1, width]);
            program.node(ActivationDesc { width, ..Default::default() }, &[("x", x), ("out", out)]);
            x = out;
        }
        program
    }

    #[test]
    fn a_chain_needs_two_buffers_of_its_largest_tensors() {
        let layout = chain(&[4, 8, 2, 8]).layout(&[0; 4]);
        // 4 and 8 live together, then 8 and 2 (in 4's place), then 2 and 8 (in the first 8's).
        assert_eq!(layout.of_slot[1..], [Some(0), Some(1), Some(0), Some(1)]);
        assert_eq!(layout.bytes, [16, 32]);
    }

    #[test]
    fn scratch_is_apart_from_its_node_s_tensors_and_free_behind_it() {
        let layout = chain(&[4, 4, 4]).layout(&[100, 0, 100]);
        assert_eq!(layout.of_scratch, [Some(1), None, Some(2)]);
        assert_eq!(layout.of_slot[1..], [Some(0), Some(1), Some(0)]);
        for (node, scratch) in layout.of_scratch.iter().enumerate() {
            let own = [layout.of_slot[node], layout.of_slot[node + 1]];
            assert!(scratch.is_none() || !own.contains(scratch), "{layout:?}");
        }
    }

    #[test]
    fn held_tensors_share_nothing() {
        let mut program = chain(&[4, 4, 4]);
        program.hold(Slot(1));
        let layout = program.layout(&[0; 3]);
        assert_eq!(layout.of_slot, [None, None, Some(0), Some(1)]);
    }
}
