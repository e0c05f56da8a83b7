package dataset

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

var formatTSV = format{Ext: ".tsv", Holds: "a table with tabs", read: func(f *os.File, o Options, add func(place string, r *entry) error) error {
	var names []string
	s := bufio.NewScanner(WithoutBOM(f))
	for n := 1; s.Scan(); n++ {
		cells := strings.Split(s.Text(), "\t")
		if names == nil {
			names = cells
			continue
		}
		if err := add(fmt.Sprintf(":%d", n), textRow(names, cells)); err != nil {
			return err
		}
	}
	return s.Err()
}}
