package launch

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestASecretPrintsAsNone(t *testing.T) {
	s := Spec{Key: "hush-hush", KeyVariable: "K"}
	data, err := json.Marshal(s)
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %s %q", s, s, s.Key, s.Key), string(data)} {
		if strings.Contains(text, "hush") || err != nil {
			t.Errorf("%s, %v", text, err)
		}
	}
}
