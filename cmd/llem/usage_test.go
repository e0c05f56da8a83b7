package main

import (
	"bytes"
	"strings"
	"testing"
)

// Mistakes on a command line are told in plain words, with that command's help.
func TestMistakesOnTheCommandLineAreToldPlainly(t *testing.T) {
	t.Parallel()
	for line, says := range map[string]string{
		"run --image":               "llem run: --image: give a value",
		"run --duration":            "llem run: --duration: give a value",
		"export --csv":              "llem export: --csv: give a value",
		"measure -r x -- true":      `llem measure: --repeat: want a whole number, not "x"`,
		"measure -r 1.5 -- true":    `want a whole number, not "1.5"`,
		"run --quick=2":             "llem run: --quick: takes no value: leave =2 out",
		"show --json=maybe x":       "llem show: --json: takes no value",
		"config validate":           "llem config validate: name a config",
		"compare":                   "llem compare: name a result",
		"completion":                "llem completion: name a shell",
		"export x":                  "llem export: give --csv=FILE or --parquet=FILE or --jsonl=FILE",
		"run a.yaml b.yaml":         "llem run: unexpected argument b.yaml",
		"rnu":                       `did you mean "run"?`,
		"run --timeout 10 a.yaml":   "llem run: --timeout: 10 has no unit: write 10s for seconds",
		"config inti":               "inti",
		"run --concurency 3 a.yaml": "--concurency",
	} {
		var stdout, stderr bytes.Buffer
		code := execute(strings.Fields(line), &stdout, &stderr)
		text := stderr.String()
		if code != exitUsage || !strings.Contains(text, says) || stdout.Len() > 0 {
			t.Errorf("llem %s: exit %d, want %q\n%s", line, code, says, text)
		}
		for _, raw := range []string{"EOL", "64 bit", "bool value", "expected \"", "missing unit", "strconv"} {
			if strings.Contains(text, raw) {
				t.Errorf("llem %s says %q:\n%s", line, raw, text)
			}
		}
		command, _, _ := strings.Cut(text, ":")
		if !strings.Contains(text, "see `"+command+" --help`") {
			t.Errorf("llem %s names another help:\n%s", line, text)
		}
	}
}
