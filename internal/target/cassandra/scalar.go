package cassandra

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gocql/gocql"
)

// scalars write the types that hold no others (native protocol v4, section 6). size is how many bytes a value has; 0 is
// any number.
var scalars = map[gocql.Type]struct {
	size int
	text func([]byte) (string, bool)
}{
	gocql.TypeBigInt:    {8, showInt},
	gocql.TypeCounter:   {8, showInt},
	gocql.TypeInt:       {4, showInt},
	gocql.TypeSmallInt:  {2, showInt},
	gocql.TypeTinyInt:   {1, showInt},
	gocql.TypeVarint:    {0, showVarint},
	gocql.TypeDecimal:   {0, showDecimal},
	gocql.TypeFloat:     {4, showFloat},
	gocql.TypeDouble:    {8, showDouble},
	gocql.TypeBoolean:   {1, func(b []byte) (string, bool) { return strconv.FormatBool(b[0] != 0), true }},
	gocql.TypeBlob:      {0, func(b []byte) (string, bool) { return "0x" + hex.EncodeToString(b), true }},
	gocql.TypeUUID:      {16, showUUID},
	gocql.TypeTimeUUID:  {16, showUUID},
	gocql.TypeInet:      {0, showInet},
	gocql.TypeTimestamp: {8, showTimestamp},
	gocql.TypeDate:      {4, showDate},
	gocql.TypeTime:      {8, showTime},
	gocql.TypeDuration:  {0, showDuration},
}

func showScalar(info gocql.TypeInfo, data []byte, inner bool) (string, bool) {
	switch info.Type() {
	case gocql.TypeAscii, gocql.TypeText, gocql.TypeVarchar:
		return showText(data, inner), true
	case gocql.TypeCustom:
		return showVector(info.Custom(), data)
	}
	s, known := scalars[info.Type()]
	switch {
	case !known, s.size > 0 && len(data) > 0 && len(data) != s.size:
		return "", false
	case len(data) == 0 && info.Type() != gocql.TypeBlob: // "empty", which Cassandra allows for most types
		return "", true
	}
	return s.text(data)
}

func showText(data []byte, inner bool) string {
	text := strings.ToValidUTF8(string(data), string(utf8.RuneError))
	if !inner {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// signed reads an integer of 1 to 8 bytes in two's complement.
func signed(b []byte) int64 {
	var n uint64
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	shift := 64 - 8*len(b)
	return int64(n<<shift) >> shift
}

func showInt(b []byte) (string, bool) { return strconv.FormatInt(signed(b), 10), true }

// mostDigits bounds what is written as a number, in bytes of its binary form.
const mostDigits = 1024

func varint(b []byte) (*big.Int, bool) {
	if len(b) == 0 || len(b) > mostDigits {
		return nil, false
	}
	n := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b)*8)))
	}
	return n, true
}

func showVarint(b []byte) (string, bool) {
	n, ok := varint(b)
	if !ok {
		return "", false
	}
	return n.String(), true
}

// showDecimal writes all digits while there are not too many zeros among them, else in scientific form.
func showDecimal(b []byte) (string, bool) {
	if len(b) < 5 {
		return "", false
	}
	n, ok := varint(b[4:])
	if !ok {
		return "", false
	}
	scale := int(int32(binary.BigEndian.Uint32(b)))
	if scale == 0 {
		return n.String(), true
	}
	if scale < 0 || scale > 100 {
		return fmt.Sprintf("%sE%+d", n, -scale), true
	}
	digits := new(big.Int).Abs(n).String()
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	point := len(digits) - scale
	return sign + digits[:point] + "." + digits[point:], true
}

func showFloat(b []byte) (string, bool) {
	return strconv.FormatFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(b))), 'g', -1, 32), true
}

func showDouble(b []byte) (string, bool) {
	return strconv.FormatFloat(math.Float64frombits(binary.BigEndian.Uint64(b)), 'g', -1, 64), true
}

func showUUID(b []byte) (string, bool) {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), true
}

func showInet(b []byte) (string, bool) {
	address, ok := netip.AddrFromSlice(b)
	return address.String(), ok
}

func showTimestamp(b []byte) (string, bool) {
	return time.UnixMilli(signed(b)).UTC().Format("2006-01-02T15:04:05.000Z"), true
}

// showDate reads days since the epoch, of which 2^31 is the middle of what fits.
func showDate(b []byte) (string, bool) {
	days := int64(binary.BigEndian.Uint32(b)) - 1<<31
	return time.Unix(days*24*60*60, 0).UTC().Format(time.DateOnly), true
}

// showTime reads nanoseconds since midnight.
func showTime(b []byte) (string, bool) {
	n := signed(b)
	if n < 0 || n >= int64(24*time.Hour) {
		return "", false
	}
	return time.Unix(0, n).UTC().Format("15:04:05.999999999"), true
}

// showDuration reads months, days and nanoseconds, which all have the same sign.
func showDuration(b []byte) (string, bool) {
	var parts [3]int64
	for i := range parts {
		var ok bool
		if parts[i], b, ok = vint(b); !ok {
			return "", false
		}
	}
	if len(b) > 0 {
		return "", false
	}
	text := ""
	negative := parts[0] < 0 || parts[1] < 0 || parts[2] < 0
	for i, unit := range []string{"mo", "d"} {
		if parts[i] != 0 {
			text += strconv.FormatUint(magnitude(parts[i]), 10) + unit
		}
	}
	if parts[2] != 0 || text == "" {
		text += strings.TrimPrefix(time.Duration(parts[2]).String(), "-")
	}
	if negative {
		text = "-" + text
	}
	return text, true
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// vint reads a [vint]: as many leading ones in the first byte as there are bytes after it, the number zigzagged.
func vint(b []byte) (n int64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	more := bits.LeadingZeros8(^b[0])
	if len(b) <= more {
		return 0, nil, false
	}
	u := uint64(b[0]) & (0xFF >> more)
	for _, x := range b[1 : 1+more] {
		u = u<<8 | uint64(x)
	}
	return int64(u>>1) ^ -int64(u&1), b[1+more:], true
}

// vectorOf recognises the vectors of numbers that protocol v4 sends as a custom type.
var vectorOf = regexp.MustCompile(`^org\.apache\.cassandra\.db\.marshal\.VectorType\(\s*org\.apache\.cassandra\.db\.marshal\.(\w+)\s*,\s*\d+\s*\)$`)

// elements are the types whose vectors are written one after the other.
var elements = map[string]gocql.Type{
	"FloatType": gocql.TypeFloat, "DoubleType": gocql.TypeDouble, "Int32Type": gocql.TypeInt, "LongType": gocql.TypeBigInt,
}

func showVector(custom string, data []byte) (string, bool) {
	match := vectorOf.FindStringSubmatch(custom)
	if match == nil {
		return "", false
	}
	element, known := scalars[elements[match[1]]]
	if !known || len(data)%element.size != 0 {
		return "", false
	}
	var parts []string
	for ; len(data) > 0; data = data[element.size:] {
		part, _ := element.text(data[:element.size])
		parts = append(parts, part)
	}
	return "[" + strings.Join(parts, ", ") + "]", true
}
