//! Rows worth asking two executors of a model: ordinary ones, large ones, and for trees those that stand exactly on a
//! threshold or are missing. The same rows for the same model.

use crate::forest::TreeNode;
use crate::graph::{Graph, Op};

/// Numbers that follow from a seed (splitmix64).
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Between -1 and 1.
    fn real(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// As many rows for a graph's first input. NaN is among them only where trees read the input itself.
pub fn rows(graph: &Graph, count: usize) -> Vec<Vec<f32>> {
    let width = graph.inputs.first().map_or(0, |(_, w)| *w);
    let thresholds = thresholds(graph, width);
    let mut sequence = Sequence(1);
    (0..count)
        .map(|row| {
            let scale = [1.0, 0.1, 3.0, 10.0][row % 4];
            (0..width).map(|i| number(&mut sequence, scale, row % 2 == 1, &thresholds[i])).collect()
        })
        .collect()
}

/// The `n`-th of a series of rows of ordinary numbers, the same on every machine.
pub fn ordinary_row(width: usize, n: usize) -> Vec<f32> {
    let mut sequence = Sequence(n as u64 + 1);
    let scale = [1.0, 0.1, 3.0, 10.0][n % 4];
    (0..width).map(|_| sequence.real() * scale).collect()
}

fn number(sequence: &mut Sequence, scale: f32, is_ordinary: bool, thresholds: &[f32]) -> f32 {
    if is_ordinary || thresholds.is_empty() {
        return sequence.real() * scale;
    }
    let near = thresholds[sequence.below(thresholds.len())];
    match sequence.below(8) {
        0 => f32::NAN,
        1 => near.next_up(),
        2 => near.next_down(),
        3 => sequence.real() * scale,
        _ => near,
    }
}

/// What trees compare each number of the first input with; empty where something else reads it.
fn thresholds(graph: &Graph, width: usize) -> Vec<Vec<f32>> {
    let mut found = vec![Vec::new(); width];
    for node in &graph.nodes {
        match &node.op {
            Op::Trees(forest) if node.reads == [0] => {
                for node in &forest.nodes {
                    if let TreeNode::Branch { feature, threshold, .. } = node
                        && let Some(list) = found.get_mut(*feature)
                    {
                        list.push(*threshold as f32);
                    }
                }
            }
            _ if node.reads.contains(&0) => return vec![Vec::new(); width],
            _ => {}
        }
    }
    found.iter_mut().flatten().for_each(|t| *t = t.clamp(-1e30, 1e30));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Node;

    #[test]
    fn layers_are_asked_numbers_and_the_same_each_time() {
        let node = Node { op: Op::Softmax, reads: vec![0], width: 5 };
        let graph =
            Graph { inputs: vec![("x".into(), 5)], nodes: vec![node], outputs: vec![("y".into(), 1)] };
        let asked = rows(&graph, 20);
        assert_eq!(asked, rows(&graph, 20));
        assert!(asked.iter().all(|row| row.len() == 5 && row.iter().all(|x| x.is_finite())));
        assert!(asked[0] != asked[1]);
    }
}
