"""Small models of every exporter we promise to read, with onnxruntime's answers: DIR/NAME.onnx and DIR/NAME.json.

    python reference_models.py DIR           the whole set, for the test in engine/forecast
    python reference_models.py --bench DIR   one LightGBM model of 3 x 100 trees, and onnxruntime's time for a row

Numbers in the JSON are the bit patterns of 32-bit floats, so that NaN and the last digit travel. Needs numpy, onnx,
onnxruntime, scikit-learn, skl2onnx, lightgbm, onnxmltools and xgboost; leaves with code 3 and a word when one is
missing. PyTorch is exported too when it is installed.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")
# Small models: threads would only wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"

try:
    import lightgbm
    import numpy as np
    import onnx
    import onnxmltools
    import onnxruntime
    import skl2onnx
    import xgboost
    from onnx import TensorProto, helper, numpy_helper
    from onnxmltools.convert.common.data_types import FloatTensorType
    from sklearn import ensemble, linear_model, neural_network, pipeline, preprocessing, tree
except ImportError as missing:
    print(f"missing: {missing.name}")
    sys.exit(3)

plain_attribute = helper.make_attribute


def make_attribute(key, value, *rest, **named):
    # skl2onnx 1.20 hands onnx the truth values of scikit-learn's newer histogram trees, which onnx refuses.
    if isinstance(value, list) and any(isinstance(v, (bool, np.bool_)) for v in value):
        value = [int(v) for v in value]
    return plain_attribute(key, value, *rest, **named)


helper.make_attribute = make_attribute

FEATURES = 12
OPSETS = (13, 15, 17, 18, 19, 20, 21)
rng = np.random.default_rng(7)


def data(rows=400, holes=False):
    x = rng.standard_normal((rows, FEATURES)).astype(np.float32)
    score = x[:, 0] + 0.5 * x[:, 1] * x[:, 2] + 0.3 * rng.standard_normal(rows)
    y = np.digitize(score, [-0.5, 0.5])
    if holes:
        x[rng.random(x.shape) < 0.1] = np.nan
    return x, y


def bits(array):
    return np.ascontiguousarray(array, dtype=np.float32).view(np.uint32).tolist()


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def save(folder, name, model, rows):
    """Writes a model with its answers; labels are left out."""
    run = session(model)
    feed = {run.get_inputs()[0].name: rows.astype(np.float32)}
    outputs = {}
    for output, value in zip(run.get_outputs(), run.run(None, feed)):
        if isinstance(value, list):  # ZipMap: a list of maps from label to odds
            value = np.array([list(row.values()) for row in value], dtype=np.float32)
        if value.dtype == np.float32:
            outputs[output.name] = bits(value.reshape(len(rows), -1))
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    (folder / f"{name}.json").write_text(json.dumps({"rows": bits(rows), "outputs": outputs}))


def scikit(folder):
    x, y = data()
    models = {
        "logistic": linear_model.LogisticRegression(),
        "scaled_logistic": pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()),
        "normalised_logistic": pipeline.make_pipeline(preprocessing.Normalizer("l2"), linear_model.LogisticRegression()),
        "max_logistic": pipeline.make_pipeline(preprocessing.Normalizer("max"), linear_model.LogisticRegression()),
        "minmax_logistic": pipeline.make_pipeline(preprocessing.MinMaxScaler(), linear_model.LogisticRegression()),
        "mlp_relu": neural_network.MLPClassifier((16, 8), max_iter=60),
        "mlp_tanh": neural_network.MLPClassifier((9,), activation="tanh", max_iter=60),
        "mlp_logistic": neural_network.MLPClassifier((9,), activation="logistic", max_iter=60),
        "tree": tree.DecisionTreeClassifier(max_depth=5),
        "forest": ensemble.RandomForestClassifier(12, max_depth=6),
        "extra": ensemble.ExtraTreesClassifier(8, max_depth=8),
        "boosting": ensemble.GradientBoostingClassifier(n_estimators=8),
        "histogram": ensemble.HistGradientBoostingClassifier(max_iter=8),
        "linear_regressor": linear_model.LinearRegression(),
        "forest_regressor": ensemble.RandomForestRegressor(8, max_depth=5),
        "histogram_regressor": ensemble.HistGradientBoostingRegressor(max_iter=8),
    }
    kind = [("X", skl2onnx.common.data_types.FloatTensorType([None, FEATURES]))]
    for i, (name, model) in enumerate(models.items()):
        model.fit(x, y)
        is_classifier = hasattr(model, "predict_proba")
        for opset in (OPSETS[i % len(OPSETS)], 13, 21):
            options = {id(model): {"zipmap": i % 2 == 0}} if is_classifier else None
            onx = skl2onnx.convert_sklearn(
                model, initial_types=kind, target_opset={"": opset, "ai.onnx.ml": 3}, options=options
            )
            save(folder, f"sklearn_{name}_{opset}", onx, data(40)[0])


def boosted(folder):
    kind = [("X", FloatTensorType([None, FEATURES]))]
    for holes in (False, True):
        x, y = data(holes=holes)
        rows = data(60, holes=holes)[0]
        word = "holes" if holes else "whole"
        for leaves in (7, 31, 60):
            light = lightgbm.LGBMClassifier(n_jobs=1, n_estimators=12, num_leaves=leaves, min_child_samples=2, verbose=-1).fit(x, y)
            onx = onnxmltools.convert_lightgbm(light, initial_types=kind, zipmap=False, target_opset=15)
            save(folder, f"lightgbm_{leaves}_{word}", onx, rows)
        light = lightgbm.LGBMRegressor(n_jobs=1, n_estimators=12, verbose=-1).fit(x, y)
        save(folder, f"lightgbm_regressor_{word}", onnxmltools.convert_lightgbm(light, initial_types=kind), rows)
        extreme = xgboost.XGBClassifier(n_jobs=1, n_estimators=10, max_depth=5).fit(x, y)
        save(folder, f"xgboost_{word}", onnxmltools.convert_xgboost(extreme, initial_types=kind), rows)
        extreme = xgboost.XGBRegressor(n_jobs=1, n_estimators=10, max_depth=5).fit(x, y)
        save(folder, f"xgboost_regressor_{word}", onnxmltools.convert_xgboost(extreme, initial_types=kind), rows)


class Builder:
    """A graph put together the way PyTorch's exporter does."""

    def __init__(self, opset):
        self.opset, self.nodes, self.constants, self.count = opset, [], [], 0

    def constant(self, value, dtype=np.float32):
        self.count += 1
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), f"c{self.count}"))
        return f"c{self.count}"

    def node(self, op, *reads, **settings):
        self.count += 1
        self.nodes.append(helper.make_node(op, list(reads), [f"v{self.count}"], **settings))
        return f"v{self.count}"

    def linear(self, x, inputs, outputs):
        w = self.constant(rng.standard_normal((outputs, inputs)) / np.sqrt(inputs))
        return self.node("Gemm", x, w, self.constant(rng.standard_normal(outputs)), transB=1)

    def matmul(self, x, inputs, outputs):
        w = self.constant(rng.standard_normal((inputs, outputs)) / np.sqrt(inputs))
        return self.node("Add", self.constant(rng.standard_normal(outputs)), self.node("MatMul", x, w))

    def gelu(self, x):
        if self.opset >= 20:
            return self.node("Gelu", x)
        half = self.node("Erf", self.node("Div", x, self.constant(np.sqrt(2))))
        return self.node("Mul", self.node("Mul", x, self.node("Add", half, self.constant(1))), self.constant(0.5))

    def layer_norm(self, x, width):
        scale, shift = (self.constant(rng.standard_normal(width)) for _ in range(2))
        if self.opset >= 17:
            return self.node("LayerNormalization", x, scale, shift, axis=-1)
        mean = lambda v: (
            self.node("ReduceMean", v, axes=[-1])
            if self.opset < 18
            else self.node("ReduceMean", v, self.constant([-1], np.int64))
        )
        away = self.node("Sub", x, mean(x))
        spread = self.node("Sqrt", self.node("Add", mean(self.node("Pow", away, self.constant(2))), self.constant(1e-5)))
        return self.node("Add", self.node("Mul", self.node("Div", away, spread), scale), shift)

    def batch_norm(self, x, width):
        scale, shift, mean = (self.constant(rng.standard_normal(width)) for _ in range(3))
        return self.node("BatchNormalization", x, scale, shift, mean, self.constant(rng.random(width) + 0.5))

    def model(self, last):
        io = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
        self.nodes.append(helper.make_node("Softmax", [last], ["probs"], axis=-1))
        graph = helper.make_graph(self.nodes, "g", [io("features", FEATURES)], [io("probs", 3)], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


def torch_like(folder):
    for opset in OPSETS:
        b = Builder(opset)
        x = b.gelu(b.layer_norm(b.linear(b.batch_norm("features", FEATURES), FEATURES, 24), 24))
        x = b.node("Add", x, b.node("Elu", b.matmul(x, 24, 24), alpha=0.9))  # a residual
        x = b.node("LeakyRelu", b.linear(x, 24, 20), alpha=0.02)
        x = b.node("Mul", x, b.node("Sigmoid", x))  # swish
        wide = b.node("Concat", x, b.node("Tanh", b.linear(x, 20, 7)), b.node("Softplus", x), axis=1)
        shape = b.constant([-1, 47], np.int64)
        flat = b.node("Flatten", b.node("Reshape", b.node("Unsqueeze", wide, b.constant([2], np.int64)), shape))
        logits = b.node("Div", b.linear(b.node("Cast", flat, to=1), 47, 3), b.constant(1.7))
        save(folder, f"torch_like_{opset}", b.model(logits), data(40)[0])


def torch_itself(folder):
    try:
        import torch
    except ImportError:
        print("torch is not installed: its exports are left out")
        return
    nn = torch.nn
    net = nn.Sequential(
        nn.Linear(FEATURES, 24), nn.BatchNorm1d(24), nn.GELU(), nn.LayerNorm(24), nn.Linear(24, 16), nn.ELU(),
        nn.Linear(16, 3), nn.Softmax(-1),
    ).eval()
    for opset in (13, 15, 17):
        path = folder / "torch.onnx"
        axes = {"features": {0: "N"}, "probs": {0: "N"}}
        torch.onnx.export(
            net, torch.zeros(1, FEATURES), str(path), input_names=["features"], output_names=["probs"],
            dynamic_axes=axes, opset_version=opset, dynamo=False,
        )
        save(folder, f"torch_{opset}", onnx.load(path), data(40)[0])
        path.unlink()


def grow(lists, tree_id, depth, modes, leaf):
    """Adds a random subtree; answers its node id."""
    node = sum(1 for t in lists["treeids"] if t == tree_id)
    for key, value in dict(treeids=tree_id, nodeids=node, featureids=int(rng.integers(FEATURES))).items():
        lists[key].append(value)
    is_leaf = depth == 0
    lists["modes"].append("LEAF" if is_leaf else str(rng.choice(modes)))
    lists["values"].append(float(rng.integers(-2, 3)) / 2)
    lists["missing_value_tracks_true"].append(int(rng.integers(2)))
    at = len(lists["modes"]) - 1
    lists["truenodeids"].append(0)
    lists["falsenodeids"].append(0)
    if is_leaf:
        leaf(tree_id, node)
    else:
        lists["truenodeids"][at] = grow(lists, tree_id, depth - 1, modes, leaf)
        lists["falsenodeids"][at] = grow(lists, tree_id, depth - 1, modes, leaf)
    return node


def random_trees(folder):
    """Every mode, aggregate and post-transform, which no trainer uses all of."""
    every = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
    cases = [("Regressor", a, "NONE", every) for a in ("SUM", "AVERAGE", "MIN", "MAX")]
    cases += [("Classifier", None, p, every) for p in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")]
    cases += [("Regressor", "SUM", "SOFTMAX", [mode]) for mode in every]
    for i, (kind, aggregate, post, modes) in enumerate(cases):
        keys = "treeids nodeids featureids modes values missing_value_tracks_true truenodeids falsenodeids".split()
        lists = {key: [] for key in keys}
        word = "class" if kind == "Classifier" else "target"
        leaves = {f"{word}_{key}": [] for key in ("treeids", "nodeids", "ids", "weights")}

        def leaf(tree_id, node):
            for target in range(3):
                value = float(rng.random()) / 5 if post == "PROBIT" else float(rng.standard_normal())
                for key, v in zip(("treeids", "nodeids", "ids", "weights"), (tree_id, node, target, value)):
                    leaves[f"{word}_{key}"].append(v)

        # onnxruntime's probit loses half its digits near 1/2, where one more rounding shows: stay away from there.
        trees = 1 if post == "PROBIT" else 5
        for tree_id in range(trees):
            grow(lists, tree_id, 4, modes, leaf)
        settings = {f"nodes_{key}": value for key, value in lists.items()} | leaves
        settings |= dict(post_transform=post, base_values=[0.125, 0.25, 0.375] if post != "PROBIT" else [0.65, 0.7, 0.75])
        if kind == "Classifier":
            settings["classlabels_int64s"] = [0, 1, 2]
        else:
            settings |= dict(aggregate_function=aggregate, n_targets=3)
        makes = ["label", "scores"] if kind == "Classifier" else ["scores"]
        node = helper.make_node(f"TreeEnsemble{kind}", ["X"], makes, domain="ai.onnx.ml", **settings)
        io = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
        graph = helper.make_graph([node], "g", [io("X", FEATURES)], [io("scores", 3)])
        sets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
        rows = (rng.integers(-5, 6, (60, FEATURES)) / 4).astype(np.float32)
        rows[rng.random(rows.shape) < 0.1] = np.nan
        save(folder, f"trees_{i}_{kind}_{aggregate}_{post}", helper.make_model(graph, opset_imports=sets, ir_version=8), rows)


def bench(folder):
    x = rng.standard_normal((4000, 24)).astype(np.float32)
    y = np.digitize(x[:, 0] + x[:, 1] * x[:, 2] + rng.standard_normal(4000), [-0.5, 0.5])
    light = lightgbm.LGBMClassifier(n_jobs=1, n_estimators=100, num_leaves=31, verbose=-1).fit(x, y)
    kind = [("X", FloatTensorType([None, 24]))]
    model = onnxmltools.convert_lightgbm(light, initial_types=kind, zipmap=False, target_opset=15)
    (folder / "lightgbm.onnx").write_bytes(model.SerializeToString())
    golden = Path(__file__).parents[2] / "tests/golden/onnx/good/mlp_32_64_32_3.onnx"
    width = {"lightgbm": 24, "mlp": 32, "overhead": 1}
    one = helper.make_tensor_value_info
    relu = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])], "g",
        [one("x", TensorProto.FLOAT, [1, 1])], [one("y", TensorProto.FLOAT, [1, 1])],
    )
    relu = helper.make_model(relu, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for name, graph in (("lightgbm", model), ("mlp", onnx.load(golden)), ("overhead", relu)):
        run = session(graph)
        key, outputs = run.get_inputs()[0].name, [run.get_outputs()[-1].name]
        rows = rng.standard_normal((500, 1, width[name])).astype(np.float32)
        times = []
        for _ in range(8):
            start = time.perf_counter_ns()
            for row in rows:
                run.run(outputs, {key: row})
            times.append((time.perf_counter_ns() - start) / len(rows))
        print(f"{name} {min(times):.0f}")


if __name__ == "__main__":
    if sys.argv[1] == "--bench":
        bench(Path(sys.argv[2]))
    else:
        target = Path(sys.argv[1])
        for make in (scikit, boosted, torch_like, torch_itself, random_trees):
            make(target)
        print(f"all good: {len(list(target.glob('*.onnx')))} models")
