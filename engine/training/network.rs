//! A dense network of one hidden layer: Gemm, Relu, Gemm, Softmax, in `f32` as every executor computes it.

/// The classes.
pub const CLASSES: usize = 3;

/// Weights; matrices are stored row by row, one row an input, as ONNX's Gemm takes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Columns of the input.
    pub inputs: usize,
    /// Neurons of the hidden layer.
    pub hidden: usize,
    /// `inputs` x `hidden`.
    pub first: Vec<f32>,
    /// `hidden`.
    pub first_bias: Vec<f32>,
    /// `hidden` x 3.
    pub second: Vec<f32>,
    /// 3.
    pub second_bias: Vec<f32>,
}

impl Network {
    /// A network that answers with `odds` whatever it is shown: hidden weights as `draw` gives them (in -1 to 1,
    /// scaled after He), nothing on the way out but the logarithms of the odds.
    pub fn saying(odds: [f64; CLASSES], inputs: usize, hidden: usize, mut draw: impl FnMut() -> f32) -> Self {
        let scale = (6.0 / inputs as f32).sqrt();
        Self {
            inputs,
            hidden,
            first: (0..inputs * hidden).map(|_| scale * draw()).collect(),
            first_bias: vec![0.0; hidden],
            second: vec![0.0; hidden * CLASSES],
            second_bias: odds.iter().map(|p| p.ln() as f32).collect(),
        }
    }

    /// The odds for one row; `layer` is room for the hidden layer, `hidden` long.
    pub fn odds(&self, row: &[f32], layer: &mut [f32]) -> [f32; CLASSES] {
        layer.copy_from_slice(&self.first_bias);
        for (x, weights) in row.iter().zip(self.first.chunks_exact(self.hidden)) {
            for (h, w) in layer.iter_mut().zip(weights) {
                *h += x * w;
            }
        }
        let mut logits = [0.0; CLASSES];
        logits.copy_from_slice(&self.second_bias);
        for (h, weights) in layer.iter_mut().zip(self.second.chunks_exact(CLASSES)) {
            *h = h.max(0.0);
            for (logit, w) in logits.iter_mut().zip(weights) {
                *logit += *h * w;
            }
        }
        softmax(logits)
    }

    /// All weights, layer by layer, for whoever changes them.
    pub fn layers_mut(&mut self) -> [&mut Vec<f32>; 4] {
        [&mut self.first, &mut self.first_bias, &mut self.second, &mut self.second_bias]
    }

    /// A network of zeros of the same shape: room for gradients.
    pub fn zeros(&self) -> Self {
        let mut zeros = self.clone();
        zeros.layers_mut().into_iter().for_each(|layer| layer.fill(0.0));
        zeros
    }
}

fn softmax(mut logits: [f32; CLASSES]) -> [f32; CLASSES] {
    let highest = logits.iter().copied().fold(f32::MIN, f32::max);
    logits.iter_mut().for_each(|x| *x = (*x - highest).exp());
    let sum: f32 = logits.iter().sum();
    logits.map(|x| x / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_odds_it_was_made_with() {
        let odds = [0.2, 0.5, 0.3];
        let mut n = 0.0;
        let network = Network::saying(odds, 3, 4, || {
            n += 0.37;
            (n as f32).sin()
        });
        let mut layer = [0.0; 4];
        for row in [[0.0; 3], [5.0, -3.0, 1.0]] {
            let said = network.odds(&row, &mut layer);
            assert!(said.iter().zip(odds).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6), "{said:?}");
        }
    }
}
