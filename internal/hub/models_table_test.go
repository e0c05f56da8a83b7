package hub_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/llenergymeasure/llem/internal/hub"
)

var update = flag.Bool("update", false, "rewrite docs/model-table.md")

// Every model is counted as its card says; where its fixture gives a reason why that
// cannot be known, the answer is null or of low confidence.
func TestPublishedModels(t *testing.T) {
	names, models := readPublished(t)
	answers := make([]answer, len(names))
	t.Run("models", func(t *testing.T) {
		for i, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				m := models[name]
				w := m.truth()
				m.holdToCard(t, w)
				answers[i] = inspect(m.write(t, t.TempDir()))
				m.check(t, answers[i], w)
			})
		}
	})
	var b strings.Builder
	fmt.Fprintf(&b, tableHead, summary(answers))
	for i, name := range names {
		m := models[name]
		b.WriteString(m.row(answers[i], m.truth()))
	}
	holdDocs(t, "../../docs/model-table.md", b.String())
}

func (m published) check(t *testing.T, a answer, w truth) {
	t.Helper()
	wrong := m.faults(a, w)
	switch unsure := a.n == 0 || a.e.Confidence == hub.Low; {
	case m.Unsure == "" && !unsure:
	case m.Unsure == "":
		wrong = append(wrong, "the fixture has no reason why it should not be known")
	case unsure:
		wrong = nil
	default:
		wrong = append(wrong, "it has to be null or of low confidence: "+m.Unsure)
	}
	if len(wrong) > 0 {
		t.Errorf("%s: %s (confidence %q, from %s, %v)", m.Name, strings.Join(wrong, "; "), a.e.Confidence, a.p.Source, a.err)
	}
}

const tableHead = `# Models that are counted

Made by ` + "`go test ./internal/hub -run TestPublishedModels -update`" + `. The test writes each model's published configuration, tensor
names and shapes into a folder (no weights) and lets llem count them. It compares total, active parameters, N and the operations
of attention with sums over roles that were given by hand. Those sums have to agree with the figure in the last column. The test
fails when a count is wrong, and when a count that cannot be known has a confidence above low.

N is the number in ` + "`2 × N × tokens`" + `: active parameters without tables of embeddings and the output layer. Total and active are
those of the part that writes text; a card may count more. "–" is null: llem says why, and takes the size in the model's name, if it
has one, with low confidence.

%s

| model | files | total | active | N used | confidence | source of the figure it is held to |
|---|---|---|---|---|---|---|
`

// summary counts rows by confidence.
func summary(answers []answer) string {
	rows := map[string]int{}
	for _, a := range answers {
		confidence := a.e.Confidence
		if a.n == 0 {
			confidence = "null"
		}
		rows[confidence]++
	}
	return fmt.Sprintf("%d rows: %d high, %d medium, %d low, %d null.", len(answers), rows[hub.High], rows[hub.Medium], rows[hub.Low], rows["null"])
}

// row is a line of the table: what llem says, and the truth where that is not it.
func (m published) row(a answer, w truth) string {
	files := m.Files
	if files == "" {
		files = "BF16"
	}
	confidence := a.e.Confidence
	if a.n == 0 {
		confidence = "–"
	}
	figure := func(got, want int64) string {
		switch {
		case got == 0:
			return "–"
		case got < want-want/1000 || got > want+want/1000:
			return fmt.Sprintf("%s (is %s)", short(got), short(want))
		}
		return short(got)
	}
	source := m.Card.Source
	if m.Unsure != "" {
		source += ". " + m.Unsure
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |\n", m.Name, files, figure(a.p.Total, w.total), figure(a.p.Active, w.active), figure(a.n, w.n), confidence, source)
}

func short(n int64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.1f M", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f B", float64(n)/1e9)
}

func holdDocs(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s (go test ./internal/hub -update rewrites it): -want +got:\n%s", path, diff)
	}
}
