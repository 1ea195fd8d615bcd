//! From history to ONNX bundles: dataset, labels, folds, learner, writer.
