"""Trains a model on the rows `wingspread features` exports, and writes the bundle the engine loads.

    wingspread features --data spy.csv.gz --symbol SPY --out spy.parquet
    python tools/python/train.py --data spy.parquet --timeframe 5min --learner lightgbm --out models --name own-5min

Learners: lightgbm, sklearn (histogram boosting), mlp (scikit-learn's network behind a scaler) and torch (a network, when
PyTorch is installed). Into OUT/NAME/VERSION/ go model.onnx, manifest.yaml and golden.json, as docs/models.md says; the
folder appears whole, by a rename. The steps are those of `wingspread train`: labels by the horizon or by barriers in
average true ranges, weights by uniqueness, cuts by time that are purged and embargoed, and scores on the newest part, which
nothing was chosen by, beside what the base rates alone would have scored.

Needs numpy, pyarrow, onnx and onnxruntime, and for a learner lightgbm with onnxmltools, scikit-learn with skl2onnx, or
torch. Leaves with code 3 and a word when one is missing. What the engine cannot load is said by `wingspread check`.
"""

import argparse
import hashlib
import json
import os
import sys
import warnings
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

warnings.filterwarnings("ignore")
# Small models: threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def need(name):
    """Imports a package, or leaves."""
    try:
        return __import__(name, fromlist=["_"])
    except ImportError:
        print(f"missing: {name}")
        sys.exit(3)


np = need("numpy")
parquet = need("pyarrow.parquet")
onnx = need("onnx")
onnxruntime = need("onnxruntime")

CLASSES = ["down", "flat", "up"]
DOWN, FLAT, UP = range(3)
GOLDEN_ROWS = 16
OPSET = 17


# What is learnt from


class Series:
    """The closed bars of one symbol and timeframe, oldest first."""

    def __init__(self, symbol, columns, features):
        self.symbol = symbol
        self.start = columns["bar_start"]
        self.open, self.high, self.low, self.close = (columns[k] for k in ("open", "high", "low", "close"))
        self.atr = columns["atr"]
        self.known = ~np.isnan(features)
        # The engine shows a model 0 where a value is not known, and so does this.
        self.rows = np.where(self.known, features, 0).astype(np.float32)


def read(files, timeframe):
    """The series in some files, the names of the features and the schema's digest."""
    series, names, digest = [], None, None
    for file in files:
        opened = parquet.ParquetFile(file)
        notes = opened.metadata.metadata or {}
        if b"wingspread.schema" not in notes:
            sys.exit(f"{file}: not written by `wingspread features` of this version; export it again")
        found = opened.schema_arrow.names
        first = found.index(notes[b"wingspread.first_feature"].decode())
        found = found[first : found.index("missing")]
        if names not in (None, found):
            sys.exit(f"{file}: other features than the files before; export all with one version")
        names, digest = found, notes[b"wingspread.schema"].decode()
        table = opened.read()
        closed = table["closed"].to_numpy() & (table["timeframe"].to_numpy() == timeframe)
        symbols = table["symbol"].to_numpy()
        for symbol in sorted(set(symbols[closed])):
            mine = closed & (symbols == symbol)
            column = lambda name: table[name].to_numpy()[mine].astype(np.float64)
            columns = {k: column(k) for k in ("open", "high", "low", "close", "atr")}
            columns["bar_start"] = table["bar_start"].cast("int64").to_numpy()[mine]
            features = np.stack([column(name) for name in names], axis=1)
            series.append(Series(symbol, columns, features))
    if not series:
        sys.exit(f"no closed bars of {timeframe} in {', '.join(map(str, files))}")
    return series, names, digest


def labels(one, rule, horizon):
    """Class and deciding bar of every bar of a series; -1 where nothing is decided. As engine/forecast/label.rs."""
    count = len(one.close)
    classes, ends = np.full(count, -1), np.full(count, -1)
    for at in range(count - 1):
        unit = one.atr[at] * np.sqrt(horizon)
        if not unit > 0:
            continue
        if rule["kind"] == "horizon":
            upper = one.close[at] + rule["threshold_atr"] * unit
            lower = one.close[at] - rule["threshold_atr"] * unit
            end = at + horizon
            if end < count:
                last = one.close[end]
                classes[at], ends[at] = (DOWN if last < lower else UP if last > upper else FLAT), end
            continue
        upper, lower = one.close[at] + rule["up_atr"] * unit, one.close[at] - rule["down_atr"] * unit
        for end in range(at + 1, min(at + horizon, count - 1) + 1):
            down, up = one.low[end] < lower, one.high[end] > upper
            if down and up:
                # Which came first is not known: the barrier nearer to the open.
                below, above = one.open[end] - lower, upper - one.open[end]
                classes[at], ends[at] = (DOWN if below < above else UP if above < below else FLAT), end
            elif down or up:
                classes[at], ends[at] = (DOWN if down else UP), end
            elif end == at + horizon:
                classes[at], ends[at] = FLAT, end
            if ends[at] >= 0:
                break
    return classes, ends


def uniqueness(starts, ends, count):
    """The mean over each label's bars of one over the labels that run through them."""
    running = np.zeros(count + 1)
    np.add.at(running, starts + 1, 1)
    np.add.at(running, ends + 1, -1)
    running = np.cumsum(running)[:count]
    sums = np.concatenate([[0], np.cumsum(np.where(running > 0, 1 / np.maximum(running, 1), 0))])
    return (sums[ends + 1] - sums[starts + 1]) / (ends - starts)


class Examples:
    """All series' examples in order of time."""

    def __init__(self, series, rule, horizon):
        parts = []
        for one in series:
            classes, ends = labels(one, rule, horizon)
            # A row of more unknown than known values teaches nothing.
            at = np.flatnonzero((classes >= 0) & (one.known.sum(axis=1) * 2 >= one.known.shape[1] - 10))
            weight = uniqueness(at, ends[at], len(classes)) if len(at) else np.zeros(0)
            parts.append((one.start[at], one.start[ends[at]], one.rows[at], one.known[at], classes[at], weight))
        columns = [np.concatenate(column) for column in zip(*parts)]
        order = np.argsort(columns[0], kind="stable")
        self.at, self.until, self.x, self.known, self.y, self.weight = (column[order] for column in columns)

    def weights(self, rows):
        """How much these rows teach: one on average, whatever others do."""
        return self.weight[rows] / max(self.weight[rows].mean(), 1e-12)

    def cut(self, test_share, stop_share, embargo):
        """Places of train, stop and test: purged of what was decided later, the first bars after a cut left out."""
        times = np.unique(self.at)
        test = len(times) - round(len(times) * test_share)
        stop = test - round(test * stop_share)
        time = lambda place: times[place] if place < len(times) else np.iinfo(np.int64).max
        spans = [(0, stop), (stop + embargo, test), (test + embargo, len(times))]
        inside = lambda a, b: (self.at >= time(a)) & (self.at < time(b)) & (self.until < time(b))
        return [np.flatnonzero(inside(a, b)) for a, b in spans]


# Who learns. Each answers with an ONNX model that reads [N, features] and answers odds [N, 3].


def lightgbm(e, train, stop, seed):
    lgb, tools = need("lightgbm"), need("onnxmltools")
    from onnxmltools.convert.common.data_types import FloatTensorType

    model = lgb.LGBMClassifier(
        n_estimators=250, learning_rate=0.08, num_leaves=15, min_child_samples=30, subsample=0.8, subsample_freq=1,
        colsample_bytree=0.7, reg_lambda=2.0, random_state=seed, deterministic=True, n_jobs=1, verbose=-1,
    )  # fmt: skip
    model.fit(
        e.x[train], e.y[train], sample_weight=e.weights(train), eval_set=[(e.x[stop], e.y[stop])],
        callbacks=[lgb.early_stopping(25, verbose=False)],
    )  # fmt: skip
    kind = [("features", FloatTensorType([None, e.x.shape[1]]))]
    made = tools.convert_lightgbm(model.booster_, initial_types=kind, zipmap=False, target_opset=15)
    return made, f"LightGBM {lgb.__version__}, {model.best_iteration_} rounds"


def convert(model, e):
    skl2onnx = need("skl2onnx")
    kind = [("features", skl2onnx.common.data_types.FloatTensorType([None, e.x.shape[1]]))]
    opsets = {"": OPSET, "ai.onnx.ml": 3}
    return skl2onnx.convert_sklearn(model, initial_types=kind, target_opset=opsets, options={id(model): {"zipmap": False}})


# skl2onnx hands onnx the truth values of scikit-learn's newer histogram trees, which onnx refuses.
plain_attribute = onnx.helper.make_attribute


def whole_attribute(key, value, *rest, **named):
    if isinstance(value, list) and any(isinstance(v, (bool, np.bool_)) for v in value):
        value = [int(v) for v in value]
    return plain_attribute(key, value, *rest, **named)


onnx.helper.make_attribute = whole_attribute


def sklearn(e, train, stop, seed):
    ensemble = need("sklearn.ensemble")
    best, best_loss = None, np.inf
    for rounds in (30, 100):
        model = ensemble.HistGradientBoostingClassifier(
            max_iter=rounds, learning_rate=0.07, max_leaf_nodes=12, min_samples_leaf=30, l2_regularization=2.0,
            early_stopping=False, random_state=seed,
        )  # fmt: skip
        model.fit(e.x[train], e.y[train], sample_weight=e.weights(train))
        loss = log_loss(model.predict_proba(e.x[stop]), e.y[stop])
        if loss < best_loss:
            best, best_loss = model, loss
    return convert(best, e), f"scikit-learn {need('sklearn').__version__} histogram boosting, {best.max_iter} rounds"


def mlp(e, train, stop, seed):
    network, pipeline, scaling = need("sklearn.neural_network"), need("sklearn.pipeline"), need("sklearn.preprocessing")
    both = np.concatenate([train, stop])
    model = pipeline.make_pipeline(
        scaling.StandardScaler(),
        network.MLPClassifier((24,), alpha=3e-3, learning_rate_init=1e-3, early_stopping=True, random_state=seed),
    )
    try:
        model.fit(e.x[both], e.y[both], mlpclassifier__sample_weight=e.weights(both))
    except TypeError:
        # Before 1.7 its network knew no weights: rows are drawn by them instead.
        drawn = np.random.default_rng(seed).choice(both, len(both), p=e.weights(both) / len(both))
        model.fit(e.x[drawn], e.y[drawn])
    return convert(model, e), f"scikit-learn {need('sklearn').__version__} network of 24 neurons"


def torch(e, train, stop, seed):
    torch = need("torch")
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    mean, deviation = e.x[train].mean(axis=0), np.maximum(e.x[train].std(axis=0), 1e-3)
    tensor = lambda part: torch.tensor((e.x[part] - mean) / deviation)
    x, y, w = tensor(train), torch.tensor(e.y[train]), torch.tensor(e.weights(train), dtype=torch.float32)
    layers = [torch.nn.Linear(e.x.shape[1], 24), torch.nn.ReLU(), torch.nn.Linear(24, 3)]
    model = torch.nn.Sequential(*layers)
    adam = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
    best, best_loss, best_epoch = None, np.inf, 0
    for epoch in range(60):
        for batch in torch.randperm(len(x)).split(128):
            adam.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch], reduction="none")
            (loss * w[batch]).mean().backward()
            adam.step()
        with torch.no_grad():
            now = log_loss(model(tensor(stop)).softmax(dim=1).numpy(), e.y[stop])
        if now < best_loss:
            best = [p.detach().numpy().copy() for p in model.parameters()]
            best_loss, best_epoch = now, epoch
        elif epoch - best_epoch >= 6:
            break
    w1, b1, w2, b2 = best
    # The scaling goes into the first layer: the file reads rows as the engine makes them.
    scaled = (w1 / deviation).T
    return dense(scaled, b1 - mean @ scaled, w2.T, b2), f"PyTorch {torch.__version__}, {best_epoch + 1} passes"


def dense(w1, b1, w2, b2):
    """Gemm, Relu, Gemm, Softmax."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = {"w1": w1, "b1": b1, "w2": w2, "b2": b2}
    nodes = [
        helper.make_node("Gemm", ["features", "w1", "b1"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "w2", "b2"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probs"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("features", kind, ["N", w1.shape[0]])],
        [helper.make_tensor_value_info("probs", kind, ["N", 3])],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(v, dtype=np.float32), k) for k, v in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


LEARNERS = {"lightgbm": lightgbm, "sklearn": sklearn, "mlp": mlp, "torch": torch}


# What it is worth, and the papers it comes with


def ask(model, rows):
    """The odds of an ONNX model, by onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    run = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    odds = [o.name for o in run.get_outputs() if "float" in o.type]
    return run.run(odds, {run.get_inputs()[0].name: rows})[-1].reshape(len(rows), 3)


def log_loss(odds, y):
    return float(-np.log(np.clip(odds[np.arange(len(y)), y], 1e-15, 1)).mean())


def brier(odds, y):
    return float(((odds - np.eye(3)[y]) ** 2).sum(axis=1).mean())


def scores(odds, base, y):
    said = {"log_loss": log_loss(odds, y), "brier": brier(odds, y), "accuracy": float((odds.argmax(axis=1) == y).mean())}
    same = np.tile(base, (len(y), 1))
    said |= {"log_loss_of_base_rates": log_loss(same, y), "brier_of_base_rates": brier(same, y)}
    said["accuracy_of_base_rates"] = float((same.argmax(axis=1) == y).mean())
    said["brier_skill"] = 1 - said["brier"] / said["brier_of_base_rates"]
    return said


def reference(x, known):
    """What training saw, as engine/forecast/reference.rs makes it: for drift, and for silence on rows unlike any seen."""
    spreads = []
    for at in range(x.shape[1]):
        values = np.sort(x[known[:, at], at].astype(np.float64))
        missing = 1 - len(values) / len(x)
        if not len(values):
            spread = {"mean": 0.0, "deviation": 1.0, "missing": missing, "edges": [0.0] * 9, "shares": [0.1] * 10}
        else:
            edges = [float(values[-(-(i + 1) * len(values) // 10) - 1]) for i in range(9)]
            bins = np.searchsorted(edges, values, side="left")
            shares = (np.bincount(bins, minlength=10) / len(values)).tolist()
            mean, deviation = float(values.mean()), float(values.std())
            spread = {"mean": mean, "deviation": deviation, "missing": missing, "edges": edges, "shares": shares}
        spreads.append(spread)
    mean = np.array([s["mean"] for s in spreads])
    deviation = np.maximum([s["deviation"] for s in spreads], 0.01)
    counted = known & (np.array([1 - s["missing"] for s in spreads]) >= 0.02)
    squares = np.where(counted, ((x - mean) / deviation) ** 2, 0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    limit = float(np.quantile(np.sqrt(squares), 0.999) * 1.25)
    return {"rows": len(x), "limit": limit, "features": spreads}


def date(ns):
    """The date in New York."""
    return datetime.fromtimestamp(int(ns) // 1_000_000_000, ZoneInfo("America/New_York")).date().isoformat()


def write(args, made, words, e, train, stop, test, names, digest, rule):
    """Writes the folder under a hidden name and renames it; answers with its path and the scores."""
    seen = np.concatenate([train, stop])
    base = (np.bincount(e.y[train], weights=e.weights(train), minlength=3) + 10) / (len(train) + 30)
    said = scores(ask(made, e.x[test]), base, e.y[test])
    said |= {f"base_rate_{name}": float(rate) for name, rate in zip(CLASSES, base)}
    said |= {"rows_train": len(train), "rows_stop": len(stop), "rows_test": len(test)}
    spread = test[np.linspace(0, len(test) - 1, GOLDEN_ROWS).astype(int)]
    odds = ask(made, e.x[spread])
    golden = {"rows": [{"features": x.tolist(), "odds": p.tolist()} for x, p in zip(e.x[spread], odds)]}
    model = made.SerializeToString()
    source = ", ".join(Path(file).name for file in args.data)
    manifest = {
        "format": 1,
        "name": args.name,
        "version": args.version,
        "timeframe": args.timeframe,
        "features": names,
        "schema": digest,
        "classes": CLASSES,
        "horizon_bars": args.horizon,
        "trained": {"from": date(e.at[seen].min()), "to": date(e.at[seen].max())},
        "metrics": {name: round(float(value), 6) for name, value in said.items()},
        "provenance": f"{source}; tools/python/train.py, seed {args.seed}; {words}; metrics from the newest {len(test)} "
        f"rows, after {len(train)} for training and {len(stop)} for stopping, purged and embargoed",
        "label": rule,
        "reference": reference(e.x[seen], e.known[seen]),
        "sha256": hashlib.sha256(model).hexdigest(),
    }
    place = Path(args.out) / args.name / args.version
    if place.exists():
        sys.exit(f"{place} is there already and versions never change: give another --version")
    hidden = place.with_name(f".{args.version}.half")
    hidden.mkdir(parents=True, exist_ok=True)
    (hidden / "model.onnx").write_bytes(model)
    (hidden / "golden.json").write_text(json.dumps(golden))
    # JSON is YAML.
    (hidden / "manifest.yaml").write_text(json.dumps(manifest, indent=1))
    os.rename(hidden, place)
    return place, said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", required=True, help="a file of `wingspread features`; may be repeated")
    parser.add_argument("--timeframe", required=True, help="1min to 1year")
    parser.add_argument("--learner", choices=LEARNERS, default="lightgbm")
    parser.add_argument("--label", choices=["horizon", "barriers"], default="horizon")
    parser.add_argument("--horizon", type=int, default=6, help="bars ahead")
    parser.add_argument("--distance", type=float, help="in average true ranges times the root of the horizon")
    parser.add_argument("--out", default="models", help="the models folder")
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", default="1")
    parser.add_argument("--test-share", type=float, default=0.2)
    parser.add_argument("--stop-share", type=float, default=0.15)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    if args.label == "horizon":
        rule = {"kind": "horizon", "threshold_atr": args.distance or 0.27}
    else:
        rule = {"kind": "triple_barrier", "up_atr": args.distance or 0.45, "down_atr": args.distance or 0.45}
    series, names, digest = read(args.data, args.timeframe)
    e = Examples(series, rule, args.horizon)
    train, stop, test = e.cut(args.test_share, args.stop_share, args.horizon)
    if min(len(train), len(stop), len(test)) < GOLDEN_ROWS or len(set(e.y[train])) < 3:
        sys.exit(f"too little to learn from: {len(train)}, {len(stop)} and {len(test)} rows of {args.timeframe}")
    made, words = LEARNERS[args.learner](e, train, stop, args.seed)
    place, said = write(args, made, words, e, train, stop, test, names, digest, rule)
    print(
        f"{place}: {words}; {len(train)} rows to learn from, {len(test)} to test on; log loss {said['log_loss']:.4f} "
        f"(base rates {said['log_loss_of_base_rates']:.4f}), Brier skill {said['brier_skill']:+.4f}"
    )


if __name__ == "__main__":
    main()
