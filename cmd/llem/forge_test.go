package main

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/record/verify"
	"github.com/llenergymeasure/llem/internal/result"
)

// forgedRun is a run of the whole protocol on a GPU, with
// limits of latency and a baseline after it.
func forgedRun(t *testing.T, h *host) (dir string) {
	t.Helper()
	text := strings.NewReplacer("%FILE%", h.file, "%GPU%", "0", "%IDLE%", "60", "%BUSY%", "300").Replace(full)
	text = strings.Replace(text, "baseline: {duration_seconds: 30}", "baseline: {duration_seconds: 30, after: true}\nslo: {ttft_ms: 500, tpot_ms: 100, e2e_ms: 5000}", 1)
	text = strings.Replace(text, "n_warmup: 2", "n_warmup: 2, convergence_detection: true, min_prompts: 3, window_size: 3, max_warmup_prompts: 5", 1)
	o := h.llem("run", "-o", h.path("out"), h.config(text))
	if o.code != exitDone {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	return o.dirs[0]
}

// Someone changes a result and makes all its checksums right. llem verify finds every
// change of what is computed from the samples and requests, or held to them; what only
// the run saw is on the list in docs/verify.md, and the signature finds it.
func TestAForgedResultIsFound(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60})
	base := forgedRun(t, h)
	key := sshKey(t, "")
	if o := h.llem("sign", "--with", key, base); o.code != exitDone {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	reader := h.reader(t)
	if v := reader.run("verify", "--signer", key+".pub", base); v.Code != exitDone || !strings.Contains(v.Stdout, "of key.pub") {
		t.Fatalf("the result as it was written: exit %d\n%s%s", v.Code, v.Stdout, v.Err)
	}
	for name, c := range forgeries() {
		f := forge(t, base)
		c.do(f)
		verified := reader.run("verify", f.dir)
		found := verified.Code == exitFailed && (strings.Contains(verified.Stdout, "differs  "+c.finds) || strings.Contains(verified.Err, c.finds))
		if silent := verified.Code == exitDone; c.finds == "" && !silent || c.finds != "" && !found {
			t.Errorf("%s: exit %d, want %q\n%s%s", name, verified.Code, c.finds, verified.Stdout, verified.Err)
		}
		if c.finds == result.RecordFile { // which every command sees
			for _, command := range []string{"show", "compare"} {
				if o := reader.run(command, f.dir, base); o.Code != exitFailed || !strings.Contains(o.Err, f.dir+" was altered after it was written") {
					t.Errorf("%s: %s says nothing: exit %d\n%s", name, command, o.Code, o.Err)
				}
			}
		}
		if signed := reader.run("verify", "--signer", key+".pub", f.dir); signed.Code != exitFailed || !strings.Contains(signed.Stdout+signed.Err, "differs  "+result.SignatureFile) {
			t.Errorf("%s: the signature does not find it: exit %d\n%s%s", name, signed.Code, signed.Stdout, signed.Err)
		}
	}
	checkEveryField(t, reader, base)
	reader.close()
}

// A result that is not to be ranked, made to look as if it were: the warning is taken
// out, its severity and reason too, and the checksum is right.
func TestAnInvalidResultThatIsMadeValidIsFound(t *testing.T) {
	t.Parallel()
	_, o := against(t, func(w http.ResponseWriter, n int64, tokens int) {
		usage := usageOf(5, tokens)
		if n%2 == 0 {
			usage = ""
		}
		streamed(w, tokens, usage)
	})
	if r := o.record(t); o.code != exitDone || r.Energy.Valid || r.WarningSeverities["token_count_unknown"] != "invalid" {
		t.Fatalf("exit %d, %+v\n%s", o.code, r.WarningSeverities, o.stderr)
	}
	valid := func(f *forgery) { f.set("energy.valid", true); f.set("energy.reasons", []any{}) }
	for name, c := range map[string]forged{
		"valid":                         sealedBy(valid, "energy.valid"),
		"valid, without its warning":    sealedBy(func(f *forgery) { valid(f); f.unwarn("token_count_unknown") }, "energy.valid"),
		"the warning of another weight": set("warning_severities.token_count_unknown", "note", "warning_severities.token_count_unknown"),
		"tokens that were not counted":  set("tokens.output", 2400, "tokens.output"),
		"a rate that was not counted":   set("tokens_per_second", 700, "tokens_per_second"),
		"why it is unknown":             sealedBy(func(f *forgery) { f.set("unknown", map[string]any{}) }, "unknown.tokens.output"),
		"what the usage lacked": sealedBy(func(f *forgery) {
			f.requests(func(rows []result.RequestRow) {
				i := slices.IndexFunc(rows, func(r result.RequestRow) bool { return r.OutputTokens == nil })
				rows[i].OutputTokens = new(int32(300))
			})
		}, "measurement_warnings"),
	} {
		f := forge(t, o.dirs[0])
		c.do(f)
		r, dir, err := result.Read(f.dir)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(verify.Record(r, dir, version), func(f verify.Finding) bool { return !f.OK && strings.HasPrefix(f.What, c.finds) }) {
			t.Errorf("%s: %s does not differ", name, c.finds)
		}
	}
}

// checkEveryField changes one field of the record after the other. Each is found, or
// given by the run alone.
func checkEveryField(t *testing.T, reader *reader, base string) {
	t.Helper()
	f := forge(t, base)
	sound := f.text
	fields := leavesOf(f.r, "", map[string]any{})
	found, given := 0, map[string]bool{}
	for _, path := range slices.Sorted(maps.Keys(fields)) {
		to := otherwise(fields[path])
		if to == nil {
			continue
		}
		f.set(path, to)
		f.seal()
		v := reader.run("verify", f.dir)
		switch is := verify.IsGiven(path); {
		case v.Code != exitDone:
			found++
		case is:
			given[path] = true
		default:
			t.Errorf("%s is changed from %v to %v, and nothing differs", path, fields[path], to)
		}
		f.write(sound)
		f.read()
	}
	t.Logf("of %d fields, %d are found when they are changed; %d are given by the run alone", len(fields), found, len(given))
	if found < 100 {
		t.Errorf("%d fields were found", found)
	}
}
