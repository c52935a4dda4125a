package drift

import "slices"

// mapping is what a type of CQL becomes on its way to PostgreSQL.
type mapping struct {
	emits string   // what the source writes into Kafka: Kafka Connect's type, and its name where it has one
	best  string   // the type for a new column
	fits  []string // types that hold every value as well, besides best
	near  []string // types that take the values, but not all of them, or rounded
	doubt string   // why the types in maybe hold the values only sometimes
	maybe []string
	width int    // of the longest value as text; 0 when it has no bound
	digit int    // of the greatest value before the point; 0 when it has no bound
	parts int    // digits after the point of a second that are not zero at times
	note  string // what to know before a column is added
	from  string // where the row's facts are from
}

// Where the facts are from. "Measured" is what Debezium's JDBC sink 3.6.0 did on PostgreSQL 15 with a record of what the
// source emits: it made the column that best names where it makes one, and wrote or refused the value in the others.
const (
	docs     = "Debezium's documentation of the Cassandra connector, data types"
	provider = "class Cassandra5TypeProvider of the connector, 3.3.0"
	measured = "; sink measured"
	judged   = "; PostgreSQL's own casts"
)

const (
	asString   = "only when a transform or a handling mode makes a text of it"
	untyped    = "Debezium's sink refuses a text there, unless its connection.url has stringtype=unspecified"
	asNumber   = "Debezium's sink refuses it; it fits only where a transform or another sink makes a plain number of it"
	asTime     = "Debezium's source sends a plain number, which its sink refuses there; it fits only after a transform"
	toTheMode  = "holds what the connector's default handling mode (long, double) sends; precise sends more"
	structNote = "Debezium's JDBC sink cannot write a struct: a transform must make JSON text of it first"
	mapNote    = "Debezium's JDBC sink writes a map only as hstore, with that extension: for JSON a transform must make text of it first"
	listNote   = "Debezium's JDBC sink cannot write a list of these: a transform must make JSON text of it first"
	vectorNote = "Debezium's Cassandra source has no reader for vectors (3.3.0): nothing will arrive in the column"
)

// mappings are the scalar types of CQL.
var mappings = map[string]mapping{
	"ascii":   text,
	"text":    text,
	"varchar": text,
	"inet": {
		emits: "STRING", best: "text", fits: []string{"varchar", "citext"}, near: []string{"char", "name"},
		doubt: untyped, maybe: []string{"inet", "cidr"}, width: 45, from: docs + measured,
	},
	"uuid":     uuid,
	"timeuuid": uuid,
	"tinyint": {
		emits: "INT8", best: "smallint", fits: []string{"integer", "bigint", "numeric", "real", "double precision", "text"}, near: []string{"varchar"},
		digit: 3, width: 4, from: docs + measured,
	},
	"smallint": {
		emits: "INT16", best: "smallint", fits: []string{"integer", "bigint", "numeric", "real", "double precision", "text"}, near: []string{"varchar"},
		digit: 5, width: 6, from: docs + measured,
	},
	"int": {
		emits: "INT32", best: "integer", fits: []string{"bigint", "numeric", "double precision", "text"}, near: []string{"smallint", "real", "varchar"},
		digit: 10, width: 11, from: docs + measured,
	},
	"bigint":  int64s,
	"counter": int64s,
	"varint": {
		emits: "INT64 (varint.handling.mode=long, default), BYTES Decimal (precise), STRING (string)", best: "numeric", fits: []string{"text"},
		near:  []string{"smallint", "integer", "real", "double precision", "varchar"},
		doubt: toTheMode, maybe: []string{"bigint"}, from: docs + measured,
	},
	"float": {
		emits: "FLOAT32", best: "real", fits: []string{"double precision", "text"}, near: []string{"numeric", "smallint", "integer", "bigint", "varchar"},
		from: docs + measured + ": numeric rounds to 6 digits",
	},
	"double": {
		emits: "FLOAT64", best: "double precision", fits: []string{"text"}, near: []string{"numeric", "real", "smallint", "integer", "bigint", "varchar"},
		from: docs + measured + ": numeric rounds to 15 digits",
	},
	"decimal": {
		emits: "FLOAT64 (decimal.handling.mode=double, default), STRUCT VariableScaleDecimal (precise), STRING (string)", best: "numeric",
		fits: []string{"text"}, near: []string{"real", "smallint", "integer", "bigint", "varchar"},
		doubt: toTheMode, maybe: []string{"double precision"}, from: docs + measured,
	},
	"boolean": {emits: "BOOLEAN", best: "boolean", fits: []string{"text", "varchar"}, width: 5, from: docs + measured},
	"blob":    {emits: "BYTES", best: "bytea", fits: []string{"text"}, near: []string{"varchar"}, from: docs + measured},
	"date": {
		emits: "INT32 io.debezium.time.Date", best: "date", fits: []string{"timestamp", "text"}, near: []string{"varchar"},
		doubt: asNumber, maybe: []string{"integer", "bigint"}, from: docs + measured,
	},
	"time": { // nanoseconds since midnight
		emits: "INT64", best: "bigint", fits: []string{"numeric", "text"}, near: []string{"smallint", "integer", "real", "double precision", "varchar"},
		doubt: asTime, maybe: []string{"time", "interval"}, digit: 14, width: 14, from: docs + measured,
	},
	"timestamp": { // milliseconds
		emits: "INT64 io.debezium.time.Timestamp", best: "timestamp", fits: []string{"timestamptz", "text"}, near: []string{"date", "varchar"},
		doubt: asNumber, maybe: []string{"bigint", "numeric"}, parts: 3, from: docs + measured,
	},
	"duration": { // nanoseconds, months taken as an average
		emits: "INT64 io.debezium.time.NanoDuration", best: "bigint", fits: []string{"numeric", "text"},
		near:  []string{"smallint", "integer", "real", "double precision", "varchar"},
		doubt: asTime, maybe: []string{"interval"}, digit: 19, width: 20, from: docs + measured,
	},
}

// The rows that several types share.
var (
	text = mapping{
		emits: "STRING", best: "text", fits: []string{"varchar", "citext"}, near: []string{"char", "name", "json", "jsonb", "uuid"},
		doubt: untyped, maybe: []string{"inet", "cidr", "macaddr", "xml"}, from: docs + measured,
	}
	uuid = mapping{
		emits: "STRING io.debezium.data.Uuid", best: "uuid", fits: []string{"text", "varchar", "char"}, near: []string{"name"},
		width: 36, from: docs + measured,
	}
	int64s = mapping{
		emits: "INT64", best: "bigint", fits: []string{"numeric", "text"}, near: []string{"smallint", "integer", "real", "double precision", "varchar"},
		digit: 19, width: 20, from: docs + measured,
	}
)

// shapes are the types of CQL with parts; a type of the users' own is "own". A list of scalars is in listOf.
var shapes = map[string]mapping{
	"list": {
		emits: "ARRAY", best: "jsonb", fits: []string{"json", "text", "varchar"}, note: listNote,
		from: docs + measured + ": arrays of date, timestamp, bytes, arrays and structs fail",
	},
	"set": {
		emits: "ARRAY", best: "jsonb", fits: []string{"json", "text", "varchar"}, note: listNote,
		from: docs + measured + ": as list",
	},
	"map": {
		emits: "MAP", best: "jsonb", fits: []string{"json", "text", "varchar", "hstore"}, note: mapNote,
		from: docs + measured + `: "type hstore does not exist" for every type of column`,
	},
	"tuple": {
		emits: "STRUCT", best: "jsonb", fits: []string{"json", "text", "varchar"}, note: structNote,
		from: provider + measured + ": Failed to resolve column type for schema: STRUCT",
	},
	"own": {
		emits: "STRUCT", best: "jsonb", fits: []string{"json", "text", "varchar"}, note: structNote,
		from: provider + measured + ": Failed to resolve column type for schema: STRUCT",
	},
	"vector": {
		emits: "nothing", best: "jsonb", fits: []string{"json", "text", "varchar", "vector", "real[]", "double precision[]"}, note: vectorNote,
		from: provider + judged,
	},
}

// inArrays are the types that the sink writes in an array.
var inArrays = []string{"text", "uuid", "smallint", "integer", "bigint", "real", "double precision", "boolean"}

// mapped is the row for a type.
func mapped(t cqlType) mapping {
	if t.own {
		return shapes["own"]
	}
	if m, ok := mappings[t.name]; ok {
		return m
	}
	if t.name == "list" || t.name == "set" {
		if element := mapped(t.args[0]); len(t.args[0].args) == 0 && slices.Contains(inArrays, element.best) {
			return listOf(element)
		}
	}
	return shapes[t.name]
}

// listOf is the row for a list or a set of scalars. The sink makes an array of the best type for them.
func listOf(element mapping) mapping {
	m := mapping{
		emits: "ARRAY of " + element.emits, best: element.best + "[]", fits: []string{"text"}, near: []string{"varchar"},
		doubt: "Debezium's sink refuses an array there; it fits " + asString, maybe: []string{"json", "jsonb"}, from: docs + measured,
		width: element.width, digit: element.digit, parts: element.parts,
	}
	for _, f := range element.fits {
		m.fits = append(m.fits, f+"[]")
	}
	for _, n := range element.near {
		m.near = append(m.near, n+"[]")
	}
	return m
}
