//! Bytes of an ONNX file to a plan, through tract.
