//go:build linux

package meter

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/measure"
)

func TestZeusAnswersThatAreNoEnergy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, want string }{
		"no JSON":         {`{"llem": 1, much of nothing`, `zeus: its Python child answered "{\"llem\": 1, much of nothing"`},
		"half an answer":  {`{"llem": 1, "ok": {"gpu_j": [1`, "zeus: its Python child answered"},
		"neither":         {`{"llem": 1, "well": {}}`, "zeus: its Python child answered"},
		"another's shape": {`{"llem": 1, "ok": {"gpu_j": "much"}}`, "zeus: its Python child answered"},
		"an error":        {`{"llem": 1, "error": "NVMLError: lost"}`, "zeus: NVMLError: lost"},
		"nothing":         {`{"llem": 1, "ok": {}}`, "zeus: energies of 0 GPUs, 2 were asked for"},
		"null":            {`{"llem": 1, "ok": null}`, "zeus: energies of 0 GPUs, 2 were asked for"},
		"one GPU of two":  {`{"llem": 1, "ok": {"gpu_j": [1]}}`, "zeus: energies of 1 GPUs, 2 were asked for"},
		"three GPUs":      {`{"llem": 1, "ok": {"gpu_j": [1, 2, 3]}}`, "zeus: energies of 3 GPUs, 2 were asked for"},
		"not a number":    {`{"llem": 1, "ok": {"gpu_j": [1, NaN]}}`, "zeus: its Python child answered"},
		"without end":     {`{"llem": 1, "ok": {"gpu_j": [1, Infinity]}}`, "zeus: its Python child answered"},
		"too large":       {`{"llem": 1, "ok": {"gpu_j": [1, 1e999]}}`, "zeus: its Python child answered"},
		"null for a GPU":  {`{"llem": 1, "ok": {"gpu_j": [null, 1]}}`, "zeus: no energy for a GPU"},
		"below zero":      {`{"llem": 1, "ok": {"gpu_j": [1, -1]}}`, "zeus: no energy for a GPU"},
		"zero":            {`{"llem": 1, "ok": {"gpu_j": [0, 1]}}`, "zeus: no energy for a GPU"},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := OpenZeus(t.Context(), shell(t, opened+"ok '{}'; read -r line; echo '"+c.answer+"'"), []int{0, 1}, quiet)
			if err != nil {
				t.Fatal(err)
			}
			defer wantClosed(t, i)
			if err := i.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			got, err := i.End(t.Context())
			wantError(t, err, c.want)
			if !cmp.Equal(got, measure.Reading{}) {
				t.Errorf("gave %+v besides", got)
			}
		})
	}
}

func TestAnOpeningThatIsAnsweredWithNonsense(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ answer, want string }{
		"no JSON":  {`{"llem": 1, "ok"`, "zeus: its Python child answered"},
		"a number": {`{"llem": 1, "ok": 5}`, "zeus: its Python child answered"},
		"an error": {`{"llem": 1, "error": "no"}`, "zeus: no"},
	} {
		t.Run(name, func(t *testing.T) {
			path := shell(t, "sleep 600 & read -r line; echo '"+c.answer+"'; read -r line")
			_, err := OpenZeus(t.Context(), path, []int{0}, quiet)
			wantError(t, err, c.want)
			wantGone(t, group(t, path))
		})
	}
}

// One answer of CodeCarbon's, in which each case changes a part.
const carbonAnswer = `{"gpu_total_j": 300.0, "cpu_j": 20.0, "cpu_method": "cpu_load", "ram_j": 40.0, "emissions_kg": 5e-6, "energy_kwh": 1e-4, "source": "data", "country": "FRA", "pue": 1.0}`

// carbon asks a child that answers so for the energy of GPUs.
func carbon(t *testing.T, answer string, gpus ...int) (measure.Reading, error) {
	t.Helper()
	i, err := OpenCodeCarbon(t.Context(), shell(t, opened+"ok '{}'; ok '"+answer+"'"), "FRA", gpus, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer wantClosed(t, i)
	if err := i.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return i.End(t.Context())
}

func TestCodeCarbonAnswers(t *testing.T) {
	t.Parallel()
	sum := measure.Joules(300)
	want := measure.Reading{
		GPU: &sum, CPU: 20, CPUMethod: "cpu_load", RAM: 40,
		Carbon: &measure.Carbon{KgCO2eq: 5e-6, Country: "FRA", IntensityGPerKWh: 5e-6 / 1e-4 * 1000, Source: "data", PUE: 1},
	}
	got, err := carbon(t, carbonAnswer, 0, 1)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, want -, got +\n%s", err, diff)
	}
	// Of no GPUs it tells nothing of GPUs.
	want.GPU = nil
	got, err = carbon(t, carbonAnswer)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, want -, got +\n%s", err, diff)
	}
	got, err = carbon(t, strings.Replace(carbonAnswer, "cpu_load", "intel_rapl", 1))
	if err != nil || !got.CPUMeasured {
		t.Errorf("a CPU that was measured: %+v, %v", got, err)
	}
}

// Unknown is an error, and never 0 J.
func TestCodeCarbonAnswersThatAreNoEnergy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ part, in, want string }{
		"no GPU energy":           {`"gpu_total_j": 300.0`, `"gpu_total_j": null`, "no energy for the GPUs"},
		"GPU energy of zero":      {`"gpu_total_j": 300.0`, `"gpu_total_j": 0.0`, "no energy for the GPUs"},
		"GPU energy below zero":   {`"gpu_total_j": 300.0`, `"gpu_total_j": -3.0`, "no energy for the GPUs"},
		"GPU energy not a number": {`"gpu_total_j": 300.0`, `"gpu_total_j": NaN`, "its Python child answered"},
		"no CPU energy":           {`"cpu_j": 20.0`, `"cpu_j": null`, "its CPU's energy is no figure"},
		"CPU energy left out":     {`"cpu_j": 20.0, `, ``, "its CPU's energy is no figure"},
		"CPU energy below zero":   {`"cpu_j": 20.0`, `"cpu_j": -1`, "its CPU's energy is no figure"},
		"CPU energy not a number": {`"cpu_j": 20.0`, `"cpu_j": NaN`, "its Python child answered"},
		"no memory's energy":      {`"ram_j": 40.0`, `"ram_j": null`, "its memory's energy is no figure"},
		"memory's below zero":     {`"ram_j": 40.0`, `"ram_j": -0.5`, "its memory's energy is no figure"},
		"no emissions":            {`"emissions_kg": 5e-6`, `"emissions_kg": null`, "its amount of CO2eq is no figure"},
		"emissions below zero":    {`"emissions_kg": 5e-6`, `"emissions_kg": -5e-6`, "its amount of CO2eq is no figure"},
		"no energy of all":        {`"energy_kwh": 1e-4`, `"energy_kwh": null`, "its energy of all is no figure"},
		"nothing at all":          {carbonAnswer, `{}`, "its CPU's energy is no figure"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := carbon(t, strings.Replace(carbonAnswer, c.part, c.in, 1), 0)
			wantError(t, err, "codecarbon: ", c.want)
			if got.GPU != nil {
				t.Errorf("gave %v besides", *got.GPU)
			}
		})
	}
}

// tracker is a package codecarbon whose tasks end with what an expression gives,
// of a host with one GPU or none.
func tracker(hardware, end string) map[string]string {
	files := version("codecarbon", "3.3.2")
	files["codecarbon.py"] = `
from types import SimpleNamespace
class GPU: pass
class CPU: _mode = "cpu_load"
class OfflineEmissionsTracker:
    _hardware = [` + hardware + `]
    def __init__(self, **_): pass
    def start_task(self, name): print("[codecarbon ERROR] Tracker not initialized.")
    def stop_task(self, name): return ` + end + "\n"
	return files
}

const emitted = `SimpleNamespace(gpu_energy=2e-4, cpu_energy=1e-4, ram_energy=1e-4, emissions=1e-5, energy_consumed=4e-4, country_iso_code="FRA", pue=%s)`

// CodeCarbon's kWh contain the PUE, and a version may tell of none.
func TestCodeCarbonOfAPythonPackage(t *testing.T) {
	t.Parallel()
	for pue, want := range map[string]measure.Joules{"1.0": 720, "2.0": 360, "None": 720} {
		t.Run(pue, func(t *testing.T) {
			path, _ := python(t, tracker("CPU(), GPU()", fmt.Sprintf(emitted, pue)))
			i, err := OpenCodeCarbon(t.Context(), path, "FRA", []int{0}, quiet)
			if err != nil {
				t.Fatal(err)
			}
			defer wantClosed(t, i)
			if err := i.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			r, err := i.End(t.Context())
			if err != nil || math.Abs(float64(*r.GPU-want)) > 1e-9 || math.Abs(float64(r.CPU-want/2)) > 1e-9 || r.CPUMethod != "cpu_load" || r.Carbon.PUE < 1 {
				t.Errorf("got %+v, %v; want %v J", r, err, want)
			}
		})
	}
}

// It is known before the window that no GPU will be measured.
func TestCodeCarbonThatFindsNoGPU(t *testing.T) {
	t.Parallel()
	path, _ := python(t, tracker("CPU()", fmt.Sprintf(emitted, "1.0")))
	_, err := OpenCodeCarbon(t.Context(), path, "FRA", []int{0}, quiet)
	wantError(t, err, "codecarbon: CodeCarbon finds no GPU", "nvidia-smi")
	i, err := OpenCodeCarbon(t.Context(), path, "FRA", nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	wantClosed(t, i)
}

// CodeCarbon logs what fails and goes on: the log's last words are the reason.
func TestCodeCarbonThatDoesNotMeasure(t *testing.T) {
	t.Parallel()
	path, _ := python(t, tracker("", "None"))
	_, err := OpenCodeCarbon(t.Context(), path, "USA", nil, quiet)
	wantError(t, err, "codecarbon: RuntimeError: CodeCarbon did not measure", "it last said: [codecarbon ERROR] Tracker not initialized.")
}
