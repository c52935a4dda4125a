package cassandra

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gocql/gocql"
)

func native(t gocql.Type) gocql.TypeInfo { return gocql.NewNativeType(4, t, "") }

func custom(name string) gocql.TypeInfo { return gocql.NewNativeType(4, gocql.TypeCustom, name) }

const marshalled = "org.apache.cassandra.db.marshal."

var (
	listOfInt = gocql.CollectionType{NativeType: gocql.NewNativeType(4, gocql.TypeList, ""), Elem: native(gocql.TypeInt)}
	mapOfText = gocql.CollectionType{NativeType: gocql.NewNativeType(4, gocql.TypeMap, ""), Key: native(gocql.TypeText), Elem: native(gocql.TypeInt)}
	pair      = gocql.TupleTypeInfo{NativeType: gocql.NewNativeType(4, gocql.TypeTuple, ""), Elems: []gocql.TypeInfo{native(gocql.TypeInt), native(gocql.TypeText)}}
	address   = gocql.UDTTypeInfo{NativeType: gocql.NewNativeType(4, gocql.TypeUDT, ""), Elements: []gocql.UDTField{{Name: "street", Type: native(gocql.TypeText)}, {Name: "no", Type: native(gocql.TypeInt)}}}
)

// values are bytes as a server sends them; what a real one sends is in TestEveryType.
var values = []struct {
	name string
	info gocql.TypeInfo
	data string
	want string
}{
	{"int", native(gocql.TypeInt), "\xff\xff\xff\xfe", "-2"},
	{"int of 3 bytes", native(gocql.TypeInt), "\x01\x02\x03", "0x010203"},
	{"empty int", native(gocql.TypeInt), "", ""},
	{"no UTF-8", native(gocql.TypeText), "a\xffb", "a\uFFFDb"},
	{"varint 0", native(gocql.TypeVarint), "\x00", "0"},
	{"varint -1", native(gocql.TypeVarint), "\xff", "-1"},
	{"varint 255", native(gocql.TypeVarint), "\x00\xff", "255"},
	{"huge varint", native(gocql.TypeVarint), strings.Repeat("\x7f", 2000), "0x" + strings.Repeat("7f", 2000)},
	{"decimal 0.05", native(gocql.TypeDecimal), "\x00\x00\x00\x02\x05", "0.05"},
	{"decimal -0.5", native(gocql.TypeDecimal), "\x00\x00\x00\x01\xfb", "-0.5"},
	{"decimal with negative scale", native(gocql.TypeDecimal), "\xff\xff\xff\xfe\x05", "5E+2"},
	{"decimal with a huge scale", native(gocql.TypeDecimal), "\x7f\xff\xff\xff\x05", "5E-2147483647"},
	{"decimal of 4 bytes", native(gocql.TypeDecimal), "\x00\x00\x00\x01", "0x00000001"},
	{"nan", native(gocql.TypeDouble), "\x7f\xf8\x00\x00\x00\x00\x00\x00", "NaN"},
	{"false", native(gocql.TypeBoolean), "\x00", "false"},
	{"inet v4", native(gocql.TypeInet), "\x7f\x00\x00\x01", "127.0.0.1"},
	{"inet of 5 bytes", native(gocql.TypeInet), "\x01\x02\x03\x04\x05", "0x0102030405"},
	{"time out of range", native(gocql.TypeTime), "\x7f\xff\xff\xff\xff\xff\xff\xff", "0x7fffffffffffffff"},
	{"first date", native(gocql.TypeDate), "\x80\x00\x00\x00", "1970-01-01"},
	{"duration of nothing", native(gocql.TypeDuration), "\x00\x00\x00", "0s"},
	{"negative duration", native(gocql.TypeDuration), "\x01\x03\x00", "-1mo2d"},
	{"smallest duration", native(gocql.TypeDuration), "\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff", "-2562047h47m16.854775808s"},
	{"duration cut off", native(gocql.TypeDuration), "\x00\xf0", "0x00f0"},
	{"duration and more", native(gocql.TypeDuration), "\x00\x00\x00\x00", "0x00000000"},
	{"unknown custom type", custom("com.example.Type"), "\x01", "0x01"},
	{"vector of texts", custom(marshalled + "VectorType(" + marshalled + "UTF8Type, 2)"), "\x01a\x01b", "0x01610162"},
	{"vector", custom(marshalled + "VectorType(" + marshalled + "Int32Type , 2)"), "\x00\x00\x00\x01\x00\x00\x00\x02", "[1, 2]"},
	{"vector cut off", custom(marshalled + "VectorType(" + marshalled + "Int32Type , 2)"), "\x00\x00\x00", "0x000000"},
	{"empty list", listOfInt, "\x00\x00\x00\x00", "[]"},
	{"list with null", listOfInt, "\x00\x00\x00\x01\xff\xff\xff\xff", "[NULL]"},
	{"list of too many", listOfInt, "\x7f\xff\xff\xff", "0x7fffffff"},
	{"list of fewer than none", listOfInt, "\xff\xff\xff\xff", "0xffffffff"},
	{"list cut off", listOfInt, "\x00\x00\x00\x01\x00\x00\x00\x04\x00", "0x000000010000000400"},
	{"map", mapOfText, "\x00\x00\x00\x01\x00\x00\x00\x01a\x00\x00\x00\x04\x00\x00\x00\x07", "{'a': 7}"},
	{"map without a value", mapOfText, "\x00\x00\x00\x01\x00\x00\x00\x01a", "0x000000010000000161"},
	{"tuple inside", pair, "\x00\x00\x00\x04\x00\x00\x00\x07\x00\x00\x00\x01a", "(7, 'a')"},
	{"type with a field added later", address, "\x00\x00\x00\x01a", "{street: 'a', no: NULL}"},
	{"type cut off", address, "\x00\x00", "0x0000"},
}

func TestShow(t *testing.T) {
	for _, tc := range values {
		if got := show(tc.info, []byte(tc.data), false); got != tc.want {
			t.Errorf("%s: show(%v, %x) = %q, want %q", tc.name, tc.info, tc.data, got, tc.want)
		}
	}
	if got := show(native(gocql.TypeInt), nil, false); got != null {
		t.Errorf("nil: got %q", got)
	}
}

func FuzzShow(f *testing.F) {
	for i, tc := range values {
		f.Add(i, []byte(tc.data))
	}
	f.Fuzz(func(t *testing.T, i int, data []byte) {
		info := values[int(uint(i)%uint(len(values)))].info
		if got := cut(show(info, data, true)); !utf8.ValidString(got) || len(got) > mostText+100 {
			t.Fatalf("show(%v, %x) = %.200q", info, data, got)
		}
	})
}

func TestCut(t *testing.T) {
	long := strings.Repeat("ü", mostText)
	got := cut("a" + long)
	if !strings.HasSuffix(got, "… (65538 bytes more)") && !strings.HasSuffix(got, "… (65537 bytes more)") || !utf8.ValidString(got) {
		t.Errorf("got …%q", got[len(got)-60:])
	}
	if got := cut("short"); got != "short" {
		t.Errorf("got %q", got)
	}
}
