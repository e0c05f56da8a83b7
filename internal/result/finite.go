package result

import (
	"math"
	"reflect"
	"time"
)

// finite copies v for JSON, which knows neither NaN nor infinity: a pointer or
// an interface that holds one becomes nil, a map loses it, and elsewhere it
// becomes 0, since only the former can say "unknown". Times become UTC.
func finite(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.Pointer:
		switch {
		case v.IsNil():
		case lost(v.Elem()):
			out.SetZero()
		default:
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(finite(v.Elem()))
		}
	case reflect.Interface:
		switch {
		case v.IsNil():
		case lost(v.Elem()):
			out.SetZero()
		default:
			out.Set(finite(v.Elem()))
		}
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return reflect.ValueOf(t.UTC())
		}
		for i := range v.NumField() {
			if out.Field(i).CanSet() {
				out.Field(i).Set(finite(v.Field(i)))
			}
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		}
		for i := range v.Len() {
			out.Index(i).Set(finite(v.Index(i)))
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		}
		for _, k := range v.MapKeys() {
			if e := v.MapIndex(k); !lost(e) {
				out.SetMapIndex(k, finite(e))
			}
		}
	case reflect.Float64:
		if lost(v) {
			out.SetFloat(0)
		}
	}
	return out
}

// lost says that v is a float which JSON cannot hold.
func lost(v reflect.Value) bool {
	return v.Kind() == reflect.Float64 && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0))
}
