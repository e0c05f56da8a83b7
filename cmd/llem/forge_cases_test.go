package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
)

// forged is one way to change a result, and what llem verify says differs; empty: it
// cannot find it, and the signature does.
type forged struct {
	do    func(f *forgery)
	finds string
}

// sealedBy changes fields and makes the checksum right.
func sealedBy(do func(f *forgery), finds string) forged {
	return forged{func(f *forgery) { do(f); f.seal() }, finds}
}

// ofText changes the text of a record whose checksum is right after it, as for a reader
// that takes the last of two keys.
func ofText(from, to, finds string) forged {
	return forged{func(f *forgery) {
		text := strings.Replace(f.text, from, to, 1)
		if text == f.text {
			f.t.Fatalf("the record has no %s", from)
		}
		f.write(text)
		f.read()
		sum := f.r["record_sha256"].(string)
		f.seal()
		f.write(strings.Replace(text, sum, f.r["record_sha256"].(string), 1))
	}, finds}
}

func set(path string, to any, finds string) forged {
	return sealedBy(func(f *forgery) { f.set(path, to) }, finds)
}

func scaled(by float64, finds string, paths ...string) forged {
	return sealedBy(func(f *forgery) { f.times(by, paths...) }, finds)
}

// without takes the warnings of a code out.
func (f *forgery) unwarn(code string) {
	list := f.r["measurement_warnings"].([]any)
	kept := slices.DeleteFunc(slices.Clone(list), func(w any) bool { return strings.HasPrefix(w.(string), code+": ") })
	if len(kept) == len(list) {
		f.t.Fatalf("the record has no warning %s: %v", code, list)
	}
	f.r["measurement_warnings"] = kept
	delete(f.r["warning_severities"].(map[string]any), code)
}

func (f *forgery) later(path string, by time.Duration) {
	at, err := time.Parse(time.RFC3339Nano, f.get(path).(string))
	if err != nil {
		f.t.Fatal(err)
	}
	f.set(path, at.Add(by).Format(time.RFC3339Nano))
}

func (f *forgery) phase(name string) map[string]any {
	for _, p := range f.r["phases"].([]any) {
		if p := p.(map[string]any); p["name"] == name {
			return p
		}
	}
	f.t.Fatalf("the record has no phase %s", name)
	return nil
}

// dropped takes a file away, and its line from the record.
func dropped(name string, finds string, also func(f *forgery)) forged {
	return sealedBy(func(f *forgery) {
		if err := os.Remove(filepath.Join(f.dir, name)); err != nil {
			f.t.Fatal(err)
		}
		f.r["files"] = slices.DeleteFunc(f.r["files"].([]any), func(e any) bool { return e.(map[string]any)["name"] == name })
		also(f)
	}, finds)
}

// forgeries are the ways in which a sound result is changed.
func forgeries() map[string]forged {
	none := func(*forgery) {}
	return map[string]forged{
		// Energies and their uncertainties.
		"less energy, in all figures of it": scaled(0.9, "energy_total_j", "energy_total_j", "energy.per_gpu[0].energy_j", "energy.per_gpu[0].counter_j", "energy_per_output_token", "energy.mean_power_w", "energy.per_request_j", "energy.per_total_token_j", "energy.steady.energy_j", "energy.steady.energy_per_output_token"),
		"less adjusted energy":              scaled(0.9, "energy_adjusted_j", "energy_adjusted_j"),
		"energy of a token":                 scaled(0.9, "energy_per_output_token", "energy_per_output_token"),
		"energy of a request":               scaled(0.9, "energy.per_request_j", "energy.per_request_j"),
		"idle power":                        scaled(1.1, "baseline_power_w", "baseline_power_w", "energy.baseline.power_w", "energy.baseline.per_gpu_w[0]"),
		"no baseline": sealedBy(func(f *forgery) {
			f.set("energy.baseline", nil)
			f.set("baseline_power_w", nil)
			f.set("energy_adjusted_j", nil)
		}, "baseline_power_w"),
		"a baseline of an earlier run":   set("energy.baseline.cached", true, "energy.baseline"),
		"idle power after the run":       scaled(1.1, "energy.baseline_after.power_w", "energy.baseline_after.power_w"),
		"engine idle power":              scaled(0.9, "energy.engine_idle_power_w", "energy.engine_idle_power_w"),
		"energy of the start":            scaled(0.9, "engine.startup_energy_j", "engine.startup_energy_j"),
		"the steady slice":               scaled(0.9, "energy.steady.energy_j", "energy.steady.energy_j"),
		"a smaller uncertainty":          scaled(0.1, "energy.u_repeatability_j", "energy.u_repeatability_j", "energy.u_per_output_token_j"),
		"a smaller absolute uncertainty": scaled(0.1, "energy.u_absolute_j", "energy.u_absolute_j"),
		"a component":                    scaled(0.1, "energy.components.resolution", "energy.components.resolution"),
		"a component taken out":          sealedBy(func(f *forgery) { delete(f.get("energy.components").(map[string]any), "resolution") }, "energy.components.resolution"),
		"one u for two":                  set("energy.coverage_k", 1, "energy.coverage_k"),
		"the cross check":                scaled(0.9, "energy.cross_checks[0].energy_j", "energy.cross_checks[0].energy_j"),
		"no cross check":                 set("energy.cross_checks", []any{}, "energy.cross_checks"),
		"the method":                     set("energy.method", "counter", "energy.method"),
		"peak power":                     scaled(0.9, "energy.peak_power_w", "energy.peak_power_w"),
		"how many samples":               scaled(10, "energy.per_gpu[0].samples", "energy.per_gpu[0].samples"),
		"throttled seconds":              sealedBy(func(f *forgery) { f.get("energy.per_gpu[0].throttled_seconds").(map[string]any)["hw_thermal"] = 3.5 }, "energy.per_gpu[0].throttled_seconds.hw_thermal"),
		"the counter's refresh":          scaled(0.5, "environment.gpus[0].counter_refresh_ms", "environment.gpus[0].counter_refresh_ms"),
		// Warnings and validity.
		"a warning taken out": sealedBy(func(f *forgery) { f.unwarn("single_run") }, "measurement_warnings"),
		"a warning put in": sealedBy(func(f *forgery) {
			f.r["measurement_warnings"] = append(f.r["measurement_warnings"].([]any), "throttled: GPU 9: for 9 s; cool it")
			f.r["warning_severities"].(map[string]any)["throttled"] = "doubt"
		}, "measurement_warnings"),
		"words of a warning": sealedBy(func(f *forgery) {
			w := f.r["measurement_warnings"].([]any)
			w[slices.IndexFunc(w, func(w any) bool { return strings.HasPrefix(w.(string), "single_run: ") })] = "single_run: all is well"
		}, "measurement_warnings"),
		"a severity":           set("warning_severities.single_run", "invalid", "warning_severities.single_run"),
		"not valid":            set("energy.valid", false, "energy.valid"),
		"a reason":             set("energy.reasons", []any{"throttled"}, "energy.reasons"),
		"why a figure is null": sealedBy(func(f *forgery) { f.set("unknown", map[string]any{"tokens.input": "lost"}) }, "unknown"),
		// Work and times.
		"tokens":                   scaled(2, "tokens.output", "tokens.output"),
		"tokens and their rate":    scaled(2, "tokens.output", "tokens.output", "tokens_per_second", "tokens_per_second_per_gpu"),
		"tokens a second":          scaled(2, "tokens_per_second", "tokens_per_second"),
		"what counted the tokens":  set("tokens.source", "none", "tokens.source"),
		"no failed request":        set("requests.failed", 1, "requests.failed"),
		"a median latency":         scaled(0.5, "latency.ttft_ms.p50", "latency.ttft_ms.p50"),
		"a tail latency":           scaled(0.5, "latency.itl_ms.p99", "latency.itl_ms.p99"),
		"the mean of TPOT":         scaled(0.5, "latency.tpot_ms.mean", "latency.tpot_ms.mean"),
		"goodput":                  set("slo.requests_good", 1, "slo.requests_good"),
		"a limit of the SLO":       scaled(2, "slo.ttft_ms", "slo.ttft_ms"),
		"lag of the sends":         scaled(0.1, "client.send_lag_ms.p99", "client.send_lag_ms.p99"),
		"FLOPs":                    scaled(2, "flops.value", "flops.value", "flops.flops_per_second", "flops.flops_per_joule"),
		"the parameters that work": scaled(2, "flops.n", "flops.n"),
		"the parameters":           scaled(2, "model.parameters_total", "model.parameters_total"),
		"a shorter window":         scaled(0.5, "window_seconds", "window_seconds"),
		"a later window":           sealedBy(func(f *forgery) { f.later("window_started_at", time.Hour) }, "window_started_at"),
		"a longer launch": sealedBy(func(f *forgery) {
			p := f.phase("launch")
			n, _ := p["seconds"].(json.Number).Float64()
			p["seconds"] = 10 + n
		}, "phases"),
		"a later warmup": sealedBy(func(f *forgery) { f.later("phases[3].start", 20*time.Second) }, "phases"),
		"a phase taken out": sealedBy(func(f *forgery) {
			f.r["phases"] = slices.DeleteFunc(f.r["phases"].([]any), func(p any) bool { return p.(map[string]any)["name"] == "thermal_floor" })
		}, "phases"),
		"a quicker start":         scaled(10, "engine.startup_seconds", "engine.startup_seconds"),
		"a warmup that converged": sealedBy(func(f *forgery) { f.set("warmup.converged", !f.get("warmup.converged").(bool)) }, "warmup.converged"),
		"a longer thermal floor":  set("warmup.thermal_floor_seconds", 600, "warmup.thermal_floor_seconds"),
		"a run that failed":       set("status", "failed", "error"),
		// What was run.
		"the configuration":              set("config.workload.load.concurrency", 16, "config_hash"),
		"the configuration's hash":       set("config_hash", "sha256:0", "config_hash"),
		"the name":                       set("name", "other", "name"),
		"another run's number":           set("experiment_id", "000000000000", "experiment_id"),
		"the GPU's number":               set("environment.gpus[0].uuid", "GPU-00000000-0000-0000-0000-000000000000", "energy_total_j"),
		"an older llem":                  set("schema_version", "1.0", result.RecordFile),
		"an older llem, in its keys too": unsealed(result.RequestsFile, func(f *forgery) { f.set("schema_version", "1.0") }, "record_sha256", "tokens.input_source", "engine.context_length", "requests.head_tokens", "flops.parameters"),
		"a newer llem":                   set("schema_version", "1.2", "requests.parquet"),
		"a unit's name":                  ofText(`"energy_total_j"`, `"energy_total_kj"`, result.RecordFile),
		"a key twice":                    ofText(`"energy_total_j":`, `"energy_total_j": 1, "energy_total_j":`, result.RecordFile),
		"a key twice, in capitals":       ofText(`"energy_total_j":`, `"Energy_Total_J": 1, "energy_total_j":`, result.RecordFile),
		"a key that no llem writes":      sealedBy(func(f *forgery) { f.r["rank"] = 1 }, result.RecordFile),
		"no checksum":                    sealedUnsealed("record_sha256"),
		"no checksum and no origin":      sealedUnsealed("record_sha256", "tokens.input_source"),
		"an empty checksum":              {func(f *forgery) { f.seal(); f.write(strings.Replace(f.text, f.r["record_sha256"].(string), "", 1)) }, result.RecordFile},
		"a checksum of something else":   {func(f *forgery) { f.seal(); f.write(strings.Replace(f.text, `"sha256:`, `"sha256:0`, 1)) }, result.RecordFile},
		// Files.
		"the time series": sealedBy(func(f *forgery) {
			rows := f.series()
			*rows[3].PowerW /= 2
			f.putSeries(rows)
		}, "timeseries"),
		"a shorter time series": sealedBy(func(f *forgery) { f.putSeries(f.series()[1:]) }, "timeseries"),
		"power of samples": sealedBy(func(f *forgery) {
			f.samples(func(rows []result.SampleRow) {
				for i := range rows {
					half(rows[i].PowerInstantMW)
					half(rows[i].PowerUsageMW)
				}
			})
		}, "energy"),
		"counters of samples": sealedBy(func(f *forgery) {
			f.samples(func(rows []result.SampleRow) {
				for i := range rows {
					*rows[i].EnergyMJ = 1e9 + (*rows[i].EnergyMJ-1e9)/2
				}
			})
		}, "energy_total_j"),
		"samples of another window": sealedBy(func(f *forgery) { f.samples(func(rows []result.SampleRow) { *rows[len(rows)/2].WindowNS += 1e9 }) }, "energy_total_j"),
		"times of tokens":           sealedBy(func(f *forgery) { f.requests(func(rows []result.RequestRow) { *rows[2].FirstTokenNS -= 1e6 }) }, "latency.ttft_ms"),
		"tokens of a request":       sealedBy(func(f *forgery) { f.requests(func(rows []result.RequestRow) { *rows[2].OutputTokens *= 2 }) }, "tokens.output"),
		"a request that failed":     sealedBy(func(f *forgery) { f.requests(func(rows []result.RequestRow) { rows[2].Status = "failed" }) }, "requests.completed"),
		"the end of the last one": sealedBy(func(f *forgery) {
			f.requests(func(rows []result.RequestRow) {
				for i := range rows {
					*rows[i].EndNS += 5e9
				}
			})
		}, "window_seconds"),
		"another model's answers":      sealedBy(func(f *forgery) { f.requests(func(rows []result.RequestRow) { rows[2].Model = new("cheap") }) }, "measurement_warnings"),
		"no samples":                   dropped(result.SamplesFile, "energy_total_j", none),
		"no samples, as if unwanted":   dropped(result.SamplesFile, "energy_total_j", func(f *forgery) { delete(f.r, "samples_file"); f.set("config.output.raw_samples", false) }),
		"no time series":               dropped(result.TimeseriesFile, "timeseries", none),
		"no configuration":             dropped(result.ConfigFile, "files", none),
		"another configuration file":   sealedBy(func(f *forgery) { f.put(result.ConfigFile, "model: other\n") }, "config"),
		"a file, and not its checksum": {func(f *forgery) { f.put(result.ConfigFile, "model: other\n"); f.read(); f.seal() }, result.ConfigFile},
		// What only the signature finds.
		"the GPU's name":          set("environment.gpus[0].vbios", "99.00", ""),
		"the host's name":         set("environment.host.hostname", "other", ""),
		"the driver":              set("environment.gpus[0].driver", "999.99", ""),
		"the image":               set("engine.image_id", "sha256:0", ""),
		"the engine's version":    set("engine.version", "99", ""),
		"the prompts' checksum":   set("requests.prompt_checksum", "sha256:0", ""),
		"the llem that measured":  set("llem_version", "v99", ""),
		"less work of the client": scaled(0.5, "", "client.cpu_seconds", "client.cpu_share"),
	}
}

func half(v *int32) {
	if v != nil {
		*v /= 2
	}
}

// sealedUnsealed takes keys out of the record, and the checksum with them.
func sealedUnsealed(paths ...string) forged {
	return unsealed(result.RecordFile, func(*forgery) {}, paths...)
}

// unsealed does so after something else.
func unsealed(finds string, do func(f *forgery), paths ...string) forged {
	return forged{func(f *forgery) {
		do(f)
		for _, path := range paths {
			holder, key := f.at(path)
			delete(holder.(map[string]any), key)
		}
		f.encode()
	}, finds}
}

func (f *forgery) series() []result.TimeseriesRow {
	f.t.Helper()
	var r result.Record
	if err := json.Unmarshal([]byte(f.text), &r); err != nil {
		f.t.Fatal(err)
	}
	rows, err := r.ReadTimeseries(f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	return rows
}

func (f *forgery) putSeries(rows []result.TimeseriesRow) {
	f.t.Helper()
	if err := result.Open(f.dir).PutTimeseries(rows); err != nil {
		f.t.Fatal(err)
	}
	f.sums()
}

// put writes a file, and makes its checksum right.
func (f *forgery) put(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
	f.sums()
}
