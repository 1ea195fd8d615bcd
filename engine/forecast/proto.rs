//! An ONNX file as text and numbers, before anybody asks what they mean: the messages of onnx.proto
//! (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>) that a model's graph is made of, borrowed from the
//! file's bytes. Weights kept in other files, graphs inside operators and sparse tensors are noted, never followed.

use crate::wire::{Damage, Fields, extend};

/// Element types of `TensorProto.DataType` that are read.
pub mod kind {
    /// 32-bit float.
    pub const FLOAT: i64 = 1;
    /// 32-bit integer.
    pub const INT32: i64 = 6;
    /// 64-bit integer.
    pub const INT64: i64 = 7;
    /// Truth values.
    pub const BOOL: i64 = 9;
    /// 64-bit float.
    pub const DOUBLE: i64 = 11;
}

/// A whole file.
#[derive(Debug, Clone, Default)]
pub struct Model<'a> {
    /// Layout of the file.
    pub ir_version: i64,
    /// Operator sets: domain and version.
    pub opsets: Vec<(&'a str, i64)>,
    /// The graph, when there is one.
    pub graph: Option<Graph<'a>>,
    /// True when the file brings operators of its own.
    pub functions: bool,
}

/// A graph as written.
#[derive(Debug, Clone, Default)]
pub struct Graph<'a> {
    /// Operators in the order they are written.
    pub nodes: Vec<Node<'a>>,
    /// Named constants.
    pub constants: Vec<Tensor<'a>>,
    /// Inputs, among them sometimes the constants.
    pub inputs: Vec<Value<'a>>,
    /// Outputs.
    pub outputs: Vec<Value<'a>>,
    /// True when some constants are sparse.
    pub sparse: bool,
}

/// An operator.
#[derive(Debug, Clone, Default)]
pub struct Node<'a> {
    /// Its name in its domain, such as `Gemm`.
    pub operator: &'a str,
    /// Empty for the default domain.
    pub domain: &'a str,
    /// Names of what it reads; empty where an optional input is left out.
    pub reads: Vec<&'a str>,
    /// Names of what it makes.
    pub makes: Vec<&'a str>,
    /// Its settings.
    pub attributes: Vec<Attribute<'a>>,
}

/// A setting of an operator. Which of the fields counts is told by its name.
#[derive(Debug, Clone, Default)]
pub struct Attribute<'a> {
    /// Its name.
    pub name: &'a str,
    /// One float.
    pub float: Option<f32>,
    /// One integer.
    pub int: Option<i64>,
    /// One text or piece of bytes.
    pub bytes: Option<&'a [u8]>,
    /// One tensor.
    pub tensor: Option<Tensor<'a>>,
    /// Several floats.
    pub floats: Vec<f32>,
    /// Several integers.
    pub ints: Vec<i64>,
    /// Several texts.
    pub texts: Vec<&'a [u8]>,
    /// True when it holds a graph, a sparse tensor or a reference, which are not followed.
    pub foreign: bool,
}

/// A constant as written.
#[derive(Debug, Clone, Default)]
pub struct Tensor<'a> {
    /// Its name; empty for an attribute's.
    pub name: &'a str,
    /// Its shape.
    pub dims: Vec<i64>,
    /// One of [`kind`], or another that is not read.
    pub kind: i64,
    /// Its numbers as little-endian bytes, when it is stored so.
    pub raw: &'a [u8],
    /// Its numbers otherwise.
    pub listed: Vec<f64>,
    /// Integers otherwise; kept apart because not all fit a float.
    pub listed_ints: Vec<i64>,
    /// True when its bytes are in another file.
    pub external: bool,
}

/// An input or output.
#[derive(Debug, Clone, Default)]
pub struct Value<'a> {
    /// Its name.
    pub name: &'a str,
    /// Element type of a tensor; 0 for sequences and maps.
    pub kind: i64,
    /// Shape with open dimensions as `None`; `None` when none is declared.
    pub dims: Option<Vec<Option<i64>>>,
}

type Read<T> = Result<T, Damage>;

impl<'a> Model<'a> {
    /// Reads a file.
    ///
    /// # Errors
    /// When the bytes are no protobuf message.
    pub fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut model = Self::default();
        for field in Fields::new(bytes) {
            let (number, held) = field?;
            match number {
                1 => model.ir_version = held.int().ok_or(Damage(0))?,
                7 => model.graph = Some(Graph::read(held.bytes().ok_or(Damage(0))?)?),
                8 => model.opsets.push(opset(held.bytes().ok_or(Damage(0))?)?),
                25 => model.functions = true,
                _ => {}
            }
        }
        Ok(model)
    }
}

fn opset(bytes: &[u8]) -> Read<(&str, i64)> {
    let mut set = ("", 0);
    for field in Fields::new(bytes) {
        let (number, held) = field?;
        match number {
            1 => set.0 = held.text().ok_or(Damage(0))?,
            2 => set.1 = held.int().ok_or(Damage(0))?,
            _ => {}
        }
    }
    Ok(set)
}

impl<'a> Graph<'a> {
    fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut graph = Self::default();
        for field in Fields::new(bytes) {
            let (number, held) = field?;
            let inside = held.bytes().ok_or(Damage(0));
            match number {
                1 => graph.nodes.push(Node::read(inside?)?),
                5 => graph.constants.push(Tensor::read(inside?)?),
                11 => graph.inputs.push(Value::read(inside?)?),
                12 => graph.outputs.push(Value::read(inside?)?),
                15 => graph.sparse = true,
                _ => {}
            }
        }
        Ok(graph)
    }
}

impl<'a> Node<'a> {
    fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut node = Self::default();
        for field in Fields::new(bytes) {
            let (number, held) = field?;
            let text = held.text().ok_or(Damage(0));
            match number {
                1 => node.reads.push(text?),
                2 => node.makes.push(text?),
                4 => node.operator = text?,
                5 => node.attributes.push(Attribute::read(held.bytes().ok_or(Damage(0))?)?),
                7 => node.domain = text?,
                _ => {}
            }
        }
        if node.domain == "ai.onnx" {
            node.domain = "";
        }
        Ok(node)
    }

    /// A setting by name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute<'a>> {
        self.attributes.iter().find(|a| a.name == name)
    }

    /// An integer setting, or what the operator takes without it.
    pub fn int(&self, name: &str, otherwise: i64) -> i64 {
        self.attribute(name).and_then(|a| a.int).unwrap_or(otherwise)
    }

    /// A float setting, or what the operator takes without it.
    pub fn float(&self, name: &str, otherwise: f32) -> f32 {
        self.attribute(name).and_then(|a| a.float).unwrap_or(otherwise)
    }

    /// A text setting; `None` when it is missing or no text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.attribute(name)?.bytes?).ok()
    }
}

impl<'a> Attribute<'a> {
    fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut attribute = Self::default();
        for field in Fields::new(bytes) {
            let (number, held) = field?;
            let float = |n: u64| f32::from_bits(n as u32);
            match number {
                1 => attribute.name = held.text().ok_or(Damage(0))?,
                2 => {
                    let mut one = Vec::new();
                    extend(&mut one, held, 4, float)?;
                    attribute.float = one.first().copied();
                }
                3 => attribute.int = Some(held.int().ok_or(Damage(0))?),
                4 => attribute.bytes = Some(held.bytes().ok_or(Damage(0))?),
                5 => attribute.tensor = Some(Tensor::read(held.bytes().ok_or(Damage(0))?)?),
                7 => extend(&mut attribute.floats, held, 4, float)?,
                8 => extend(&mut attribute.ints, held, 0, |n| n as i64)?,
                9 => attribute.texts.push(held.bytes().ok_or(Damage(0))?),
                6 | 10 | 11 | 21 | 22 | 23 => attribute.foreign = true,
                _ => {}
            }
        }
        Ok(attribute)
    }
}

impl<'a> Tensor<'a> {
    fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut tensor = Self::default();
        for field in Fields::new(bytes) {
            let (number, held) = field?;
            match number {
                1 => extend(&mut tensor.dims, held, 0, |n| n as i64)?,
                2 => tensor.kind = held.int().ok_or(Damage(0))?,
                4 => extend(&mut tensor.listed, held, 4, |n| f64::from(f32::from_bits(n as u32)))?,
                5 | 7 => extend(&mut tensor.listed_ints, held, 0, |n| n as i64)?,
                8 => tensor.name = held.text().ok_or(Damage(0))?,
                9 => tensor.raw = held.bytes().ok_or(Damage(0))?,
                10 => extend(&mut tensor.listed, held, 8, f64::from_bits)?,
                13 => tensor.external = true,
                14 => tensor.external |= held.int() != Some(0),
                _ => {}
            }
        }
        Ok(tensor)
    }
}

impl<'a> Value<'a> {
    fn read(bytes: &'a [u8]) -> Read<Self> {
        let mut value = Self::default();
        for field in Fields::new(bytes) {
            let (number, held) = field?;
            match number {
                1 => value.name = held.text().ok_or(Damage(0))?,
                2 => value.read_type(held.bytes().ok_or(Damage(0))?)?,
                _ => {}
            }
        }
        Ok(value)
    }

    fn read_type(&mut self, bytes: &'a [u8]) -> Read<()> {
        for field in Fields::new(bytes) {
            let (number, held) = field?;
            // 1 is a tensor; sequences and maps are of no use to us and stay kind 0.
            if number == 1 {
                for field in Fields::new(held.bytes().ok_or(Damage(0))?) {
                    match field? {
                        (1, held) => self.kind = held.int().ok_or(Damage(0))?,
                        (2, held) => self.dims = Some(shape(held.bytes().ok_or(Damage(0))?)?),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }
}

fn shape(bytes: &[u8]) -> Read<Vec<Option<i64>>> {
    let mut dims = Vec::new();
    for field in Fields::new(bytes) {
        if let (1, held) = field? {
            let mut dim = None;
            for field in Fields::new(held.bytes().ok_or(Damage(0))?) {
                if let (1, held) = field? {
                    dim = held.int();
                }
            }
            dims.push(dim);
        }
    }
    Ok(dims)
}
