package result

import (
	"bytes"
	"encoding/csv"
	"testing"
)

// A spreadsheet runs no cell of an export, whatever a server or a file named itself.
func TestNoCellOfAnExportIsAFormula(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`=HYPERLINK("http://x","y")`: `'=HYPERLINK("http://x","y")`, "+1+cmd|' /C calc'!A0": "'+1+cmd|' /C calc'!A0", "-2+3": "'-2+3", "@SUM(A1)": "'@SUM(A1)",
		"\t=1": "'\t=1", "\r=1": "'\r=1", "|x": "'|x", "-1.5e3": "-1.5e3", "+4": "+4", "a=b": "a=b", "": "", "Qwen/Qwen3": "Qwen/Qwen3",
	} {
		r := &Record{Name: text}
		r.Engine.Version = &text
		var b bytes.Buffer
		if err := NewTable([]*Record{r}, []string{text}).CSV(&b); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatal(rows, err)
		}
		seen := 0
		for i, cell := range rows[1] {
			switch cell {
			case want:
				seen++
			case text:
				t.Errorf("column %s holds %q", rows[0][i], cell)
			}
		}
		if text != "" && seen < 3 {
			t.Errorf("%q is in %d columns: %q", text, seen, rows[1])
		}
	}
}
