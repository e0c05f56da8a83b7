package result

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// aPlan is of two points in two cycles, and one that is the same as the first.
func aPlan(do func(*StudyPlan)) *StudyPlan {
	p := &StudyPlan{
		SchemaVersion: SchemaVersion, ID: "f2d5", Name: "s", Hash: "sha256:96", LlemVersion: "v1", Source: "/home/a/study.yaml",
		Sets: []StudySet{}, Swept: []string{"seed"}, Host: StudyHost{GPUs: []string{}}, Images: []StudyImage{}, CyclesAsked: 2,
		Points: []StudyPoint{
			{Name: "seed-1", ConfigHash: "sha256:1"}, {Name: "seed-2", ConfigHash: "sha256:2"},
			{Name: "seed-1-again", ConfigHash: "sha256:1", SameAs: p(1)}, {Name: "seed-x", Invalid: "no number"},
		},
		Runs: [][2]int{{1, 1}, {1, 2}, {2, 2}, {2, 1}},
	}
	do(p)
	return p
}

func planned(t *testing.T, do func(*StudyPlan)) (dir string) {
	t.Helper()
	s := store(t)
	if err := s.PutPlan(aPlan(do), []byte("model: m\n")); err != nil {
		t.Fatal(err)
	}
	return s.Dir()
}

func TestAPlanComesBackAsItWas(t *testing.T) {
	want := aPlan(func(p *StudyPlan) { p.Folders = map[int]string{2: "007_c1_seed-2", 4: "012_c2_seed-1"} })
	s := store(t)
	if err := s.PutPlan(want, []byte("model: m\n")); err != nil {
		t.Fatal(err)
	}
	got, err := ReadStudyPlan(s.Dir())
	if diff := cmp.Diff(want, got); err != nil || diff != "" || got.PlanSHA256 == "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	if diff := got.CheckFile([]byte("model: m\n")); diff != "" {
		t.Error(diff)
	}
	if diff := got.CheckFile([]byte("model: n\n")); diff == "" {
		t.Error("a changed study.yaml is taken for the one that was written")
	}
}

// Plans whose checksum is right, since whoever wrote them made it: none is believed
// that leads out of the study's folder or counts a run twice.
func TestAPlanThatNoLlemWritesIsRefused(t *testing.T) {
	folder := func(name string) func(*StudyPlan) {
		return func(p *StudyPlan) { p.Folders = map[int]string{1: name} }
	}
	for name, c := range map[string]struct {
		do   func(*StudyPlan)
		want string
	}{
		"a folder beside the study":       {folder("../victim"), `"../victim"`},
		"a folder below a run's":          {folder("001_c1_x/../../victim"), "none in the study's own"},
		"an absolute folder":              {folder("/tmp/001_c1_x"), "none in the study's own"},
		"the study's own folder":          {folder("."), "none in the study's own"},
		"what was set aside":              {folder(SupersededDir), "none in the study's own"},
		"a file of the study":             {folder(JournalFile), "none in the study's own"},
		"a folder of no name":             {folder(""), "none in the study's own"},
		"the folder of another run":       {folder("002_c1_seed-2"), "runs 1 and 2 have the folder"},
		"a folder of a run too many":      {func(p *StudyPlan) { p.Folders = map[int]string{5: "005_c1_x"} }, "there are 4 runs"},
		"a point's name that leads out":   {func(p *StudyPlan) { p.Points[1].Name = "/../../x" }, "none in the study's own"},
		"a run twice":                     {func(p *StudyPlan) { p.Runs[3] = p.Runs[0] }, "both of point 1 in cycle 1"},
		"a third cycle of one point":      {func(p *StudyPlan) { p.Runs[3][0] = 3 }, "are not those of 2 points in 3 cycles"},
		"a run less":                      {func(p *StudyPlan) { p.Runs = p.Runs[:3] }, "are not those of 2 points"},
		"a point without runs":            {func(p *StudyPlan) { p.Runs = [][2]int{{1, 1}, {2, 1}} }, "point 2 is to be run"},
		"runs of a point that is invalid": {func(p *StudyPlan) { p.Points[1].Invalid = "x" }, "point 2 is to be run: false"},
		"runs of a point that is another": {func(p *StudyPlan) { p.Points[1].SameAs = &p.Runs[0][0] }, "point 2 is to be run: false"},
		"a point that is there no more":   {func(p *StudyPlan) { p.Points[2].SameAs = new(int) }, "the same as point 0"},
		"cycle 0":                         {func(p *StudyPlan) { p.Runs[0][0] = 0 }, "in cycle 0"},
	} {
		if _, err := ReadStudyPlan(planned(t, c.do)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

// A link in the place of a run's folder leads wherever it likes.
func TestAStudysFoldersAreNoLinks(t *testing.T) {
	for _, name := range []string{"001_c1_seed-1", "004_c2_seed-1", SupersededDir} {
		dir := planned(t, func(*StudyPlan) {})
		if err := os.Symlink(t.TempDir(), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadStudyPlan(dir); err == nil || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One bit of every byte: what is still read means what it meant.
func TestNoFlippedBitOfAPlanChangesItsMeaning(t *testing.T) {
	dir := planned(t, func(p *StudyPlan) { p.Folders = map[int]string{2: "007_c1_seed-2"} })
	want, err := ReadStudyPlan(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, PlanFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for i := range data {
		bit := byte(1) << (i % 8)
		data[i] ^= bit
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := ReadStudyPlan(dir)
		if err == nil {
			read++
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("bit %x of byte %d, -want +got:\n%s", bit, i, diff)
			}
		}
		data[i] ^= bit
	}
	if read > 1 { // the end of the line may be another space
		t.Errorf("%d changed plans of %d were read", read, len(data))
	}
}

func TestAPlanOfAnOlderLlemIsStillRead(t *testing.T) {
	dir := planned(t, func(p *StudyPlan) { p.SchemaVersion = "1.0" })
	path := filepath.Join(dir, PlanFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(data), `,"study_sha256"`)
	if err := os.WriteFile(path, []byte(text+"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if p, err := ReadStudyPlan(dir); err != nil || p.PlanSHA256 != "" || len(p.Runs) != 4 {
		t.Errorf("%+v, %v", p, err)
	}
	if err := os.WriteFile(path, []byte(text+`,"plan_sha257":""}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadStudyPlan(dir); err == nil || !strings.Contains(err.Error(), "plan_sha257") {
		t.Errorf("a key that no llem writes: %v", err)
	}
}
