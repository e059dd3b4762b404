package config

import (
	"errors"
	"reflect"
)

// validatable is a struct that can say what is wrong with it. The error should name the settings as people write them.
type validatable interface{ Validate() error }

// validate calls the Validate of the embedded structs, and if all are content that of the whole, which may rely on it.
func validate(cfg any) error {
	return validateStruct(reflect.ValueOf(cfg).Elem())
}

func validateStruct(v reflect.Value) error {
	var errs []error
	for i := range v.NumField() {
		field := v.Type().Field(i)
		_, embedded := field.Tag.Lookup("embed")
		if !field.IsExported() || (!embedded && !field.Anonymous) {
			continue
		}
		part := v.Field(i)
		for part.Kind() == reflect.Pointer || part.Kind() == reflect.Interface {
			part = part.Elem()
		}
		if part.Kind() == reflect.Struct {
			errs = append(errs, validateStruct(part))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if x, ok := reflect.TypeAssert[validatable](v.Addr()); ok {
		return x.Validate()
	}
	return nil
}
