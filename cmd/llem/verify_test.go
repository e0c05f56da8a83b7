package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// checkTampering changes one figure of a sound record after the other, and expects
// each to be named. The record is left as it was.
func checkTampering(t *testing.T, h *host, dir string) {
	t.Helper()
	path := filepath.Join(dir, result.RecordFile)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(data []byte, named string) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if v := h.llem("verify", dir); v.code != exitFailed || !strings.Contains(v.stdout, "differs  "+named+" ") {
			t.Errorf("a changed %s: exit %d\n%s", named, v.code, v.stdout)
		}
	}
	for _, figure := range []string{
		"energy_per_output_token", "energy_adjusted_j", "energy.per_gpu[0].energy_j", "energy.per_gpu[0].u_j",
		"energy.cross_checks[0].energy_j", "energy.cross_checks[0].difference_j", "energy.u_absolute_j",
		"energy.u_adjusted_j", "energy.u_adjusted_absolute_j", "energy.u_per_output_token_absolute_j", "energy.gain.half_width", "energy.coverage_k",
		"energy.components.resolution", "energy.steady.energy_j", "energy.mean_power_w", "energy.peak_power_w",
		"energy.per_request_j", "energy.engine_idle_power_w", "engine.startup_energy_j", "environment.gpus[0].counter_refresh_ms",
		"flops.flops_per_joule", "flops.u_flops_per_joule", "flops.u_flops_per_joule_absolute",
	} {
		expect(doubled(t, sound, figure), figure)
	}
	expect(doubled(t, sound, "engine.startup_seconds"), result.RecordFile) // not computed again
	expect(bytes.Replace(sound, []byte(`"name": "`), []byte(`"name": "x`), 1), result.RecordFile)
	if err := os.WriteFile(path, sound, 0o644); err != nil {
		t.Fatal(err)
	}
}

// doubled is a record with the number at path twice as large, and one more.
func doubled(t *testing.T, record []byte, path string) []byte {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(record, &fields); err != nil {
		t.Fatal(err)
	}
	steps := strings.Split(strings.NewReplacer("[", ".", "]", "").Replace(path), ".")
	var at any = fields
	for i, step := range steps {
		if list, ok := at.([]any); ok {
			k, err := strconv.Atoi(step)
			if err != nil || k >= len(list) {
				t.Fatalf("the record has no %s", path)
			}
			at = list[k]
			continue
		}
		inside, ok := at.(map[string]any)
		if !ok {
			t.Fatalf("the record has no %s", path)
		}
		if v, ok := inside[step].(float64); ok && i == len(steps)-1 {
			inside[step] = 2*v + 1
			break
		}
		at = inside[step]
	}
	data, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
