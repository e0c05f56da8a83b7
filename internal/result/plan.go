package result

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"syscall"
)

// mostPlan bounds plan.json in bytes; one of 100,000 runs has 20 million.
const mostPlan = 256 << 20

// PutPlan writes a study's file and its plan, each with its checksum in the plan. The
// plan comes last: a folder without one is no study's.
func (s *Store) PutPlan(p *StudyPlan, file []byte) error {
	if err := s.PutFile(StudyFile, file); err != nil {
		return err
	}
	p.StudySHA256, p.PlanSHA256 = sumOf(file), ""
	data, err := p.encode()
	if err == nil {
		p.PlanSHA256, err = ownSum(data, planSumField)
	}
	if err == nil {
		data, err = p.encode()
	}
	if err != nil {
		return fmt.Errorf("encode %s: %w", PlanFile, err)
	}
	return s.PutFile(PlanFile, data)
}

func (p *StudyPlan) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(p)
	return b.Bytes(), err
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// ReadStudyPlan reads the plan of the study in dir. A plan that was changed is an
// error, and so is one that no llem writes: runs that are there twice or missing,
// names and folders that lead out of dir. Nothing is moved by a plan before that.
func ReadStudyPlan(dir string) (*StudyPlan, error) {
	path := filepath.Join(dir, PlanFile)
	data, err := ReadFile(path, mostPlan)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("%s is no study's folder of results: there is no %s in it", dir, PlanFile)
	case err != nil:
		return nil, err
	}
	p, err := decodePlan(data)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): restore it from a copy; the results beside it are whole without it: llem compare %s", path, err, dir)
	}
	if major(p.SchemaVersion) != major(SchemaVersion) {
		return nil, fmt.Errorf("%s has schema_version %q and this llem reads %s: use the llem that wrote it", path, p.SchemaVersion, SchemaVersion)
	}
	if err := p.sound(); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): restore it from a copy; the results beside it are whole without it: llem compare %s", path, err, dir)
	}
	return p, p.unlinked(dir)
}

// decodePlan holds a plan to its checksum. One without is of an older llem, and has
// no key that this one does not know.
func decodePlan(data []byte) (*StudyPlan, error) {
	var p StudyPlan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, err
	}
	fields, err := decode(data)
	if err != nil {
		return nil, err
	}
	summed := major(p.SchemaVersion) == major(SchemaVersion) && !older(p.SchemaVersion) || p.StudySHA256 != "" || p.PlanSHA256 != ""
	switch {
	case summed && p.PlanSHA256 == "":
		return nil, fmt.Errorf("its %s was taken out, which every llem of its schema_version writes", planSumField)
	case summed && p.StudySHA256 == "":
		return nil, errors.New("its study_sha256 was taken out, which every llem of its schema_version writes")
	case !summed:
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		return &p, d.Decode(&StudyPlan{})
	}
	sum, err := sumOfFields(fields, planSumField)
	switch {
	case err != nil:
		return nil, err
	case sum != p.PlanSHA256:
		return nil, fmt.Errorf("its SHA-256 is %.12s… and was %.12s…: something in it was changed", sum, p.PlanSHA256)
	case p.SchemaVersion == SchemaVersion:
		if wrong := misshapen(reflect.TypeFor[StudyPlan](), fields, ""); wrong != "" {
			return nil, errors.New(wrong)
		}
	}
	return &p, nil
}

// Unchecked says, for people, that a plan has no checksum; empty: it has one, and was
// held to it.
func (p *StudyPlan) Unchecked() string {
	if p.PlanSHA256 != "" {
		return ""
	}
	return PlanFile + " has no checksum: llem " + p.LlemVersion + " wrote none, or it was taken out"
}

// CheckFile says how study.yaml differs from what the plan was made of; empty where
// it does not, and where the plan does not say.
func (p *StudyPlan) CheckFile(file []byte) string {
	if sum := sumOf(file); p.StudySHA256 != "" && sum != p.StudySHA256 {
		return fmt.Sprintf("its SHA-256 is %.12s… and was %.12s…", sum, p.StudySHA256)
	}
	return ""
}

// runFolder is the name of a run's folder: its number, cycle and point.
var runFolder = regexp.MustCompile(`^[0-9]{3,}_c[0-9]+_`)

// longestName is that of a folder in bytes, as file systems have it.
const longestName = 255

// sound says what of a plan no llem writes.
func (p *StudyPlan) sound() error {
	for i, point := range p.Points {
		if s := point.SameAs; s != nil && (*s < 1 || *s > len(p.Points) || *s == i+1) {
			return fmt.Errorf("point %d is the same as point %d of %d", i+1, *s, len(p.Points))
		}
	}
	if err := p.complete(); err != nil {
		return err
	}
	for run := range p.Folders {
		if run < 1 || run > len(p.Runs) {
			return fmt.Errorf("there is a folder of run %d, and there are %d runs", run, len(p.Runs))
		}
	}
	taken := map[string]int{}
	for run := 1; run <= len(p.Runs); run++ {
		folder := p.Folder(run)
		if !filepath.IsLocal(folder) || filepath.Base(folder) != folder || !runFolder.MatchString(folder) || len(folder) > longestName {
			return fmt.Errorf("the folder of run %d is %q, which is none in the study's own", run, folder)
		}
		if other, ok := taken[folder]; ok {
			return fmt.Errorf("runs %d and %d have the folder %s", other, run, folder)
		}
		taken[folder] = run
	}
	return nil
}

// complete says whether every point that is run is run once in every cycle.
func (p *StudyPlan) complete() error {
	seen, points, cycles := map[[2]int]int{}, map[int]bool{}, 0
	for i, r := range p.Runs {
		if r[0] < 1 || r[1] < 1 || r[1] > len(p.Points) {
			return fmt.Errorf("run %d is of point %d in cycle %d, and there are %d points", i+1, r[1], r[0], len(p.Points))
		}
		if first, again := seen[r]; again {
			return fmt.Errorf("runs %d and %d are both of point %d in cycle %d", first, i+1, r[1], r[0])
		}
		seen[r], points[r[1]], cycles = i+1, true, max(cycles, r[0])
	}
	for i, point := range p.Points {
		if is, runs := point.Invalid == "" && point.SameAs == nil, points[i+1]; is != runs {
			return fmt.Errorf("point %d is to be run: %t; it has runs: %t", i+1, is, runs)
		}
	}
	if len(p.Runs) != cycles*len(points) {
		return fmt.Errorf("%d runs are not those of %d points in %d cycles", len(p.Runs), len(points), cycles)
	}
	return nil
}

// unlinked says whether the runs' folders are folders of dir itself: a link could
// lead to another's.
func (p *StudyPlan) unlinked(dir string) error {
	names := []string{SupersededDir}
	for run := 1; run <= len(p.Runs); run++ {
		names = append(names, p.Folder(run))
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		if st, err := os.Lstat(path); err == nil && !st.IsDir() {
			return fmt.Errorf("%s is not a folder (%s), and a study's runs lie in its own: move it away", path, st.Mode().Type())
		}
	}
	return nil
}
