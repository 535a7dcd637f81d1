package handler

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// fault says where in the value the first thing is that is no JSON, and what it is; empty: none was found.
func fault(value reflect.Value, path string, above ...uintptr) string {
	if !value.IsValid() || len(above) > 100 {
		return ""
	}
	if kind := value.Kind(); kind == reflect.Pointer || kind == reflect.Map || kind == reflect.Slice && value.Len() > 0 {
		for _, one := range above {
			if one == value.Pointer() {
				return path + ": it contains itself"
			}
		}
		above = append(above[:len(above):len(above)], value.Pointer())
	}
	if value.CanInterface() {
		if _, own := value.Interface().(json.Marshaler); own {
			if _, err := json.Marshal(value.Interface()); err != nil {
				return path + ": " + err.Error()
			}
			return ""
		}
	}
	switch value.Kind() {
	case reflect.Float32, reflect.Float64:
		if number := value.Float(); math.IsNaN(number) || math.IsInf(number, 0) {
			return fmt.Sprintf("%s: %v is no number of JSON", path, number)
		}
	case reflect.Func:
		return path + ": a function"
	case reflect.Chan, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return path + ": a " + value.Kind().String()
	case reflect.Interface, reflect.Pointer:
		return fault(value.Elem(), path, above...)
	case reflect.Slice, reflect.Array:
		for i := 0; i < value.Len(); i++ {
			if found := fault(value.Index(i), fmt.Sprintf("%s[%d]", path, i), above...); found != "" {
				return found
			}
		}
	case reflect.Map:
		for _, key := range value.MapKeys() {
			if found := fault(value.MapIndex(key), fmt.Sprintf("%s.%v", path, key), above...); found != "" {
				return found
			}
		}
	case reflect.Struct:
		for i := 0; i < value.NumField(); i++ {
			field := value.Type().Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "-" || !field.IsExported() && !field.Anonymous {
				continue
			} else if name == "" {
				name = field.Name
			}
			if found := fault(value.Field(i), path+"."+name, above...); found != "" {
				return found
			}
		}
	}
	return ""
}
