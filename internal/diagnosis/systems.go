package diagnosis

import "strings"

// system is who an exception came from. The same "Connection refused" is the database's failure behind a JDBC driver's
// frames and the registry's behind a converter's.
type system string

const (
	anySystem system = ""
	database  system = "database"
	registry  system = "registry"
	kafka     system = "kafka"
	worker    system = "worker"
)

// origin is a row that tells a system by how a class or frame begins, or by what a class or message says.
type origin struct {
	system  system
	name    string // for people
	code    string // prefix of a class or frame
	message string // folded pattern of a message
}

// origins are looked through top down for each link, deepest link first; the first that fits decides. Kafka's own
// serialization classes are not listed: a converter's failure is not the broker's.
var origins = []origin{
	{worker, "another worker", "", "forwarding rest request"},
	{worker, "another worker", "", "forward rest request"},
	{worker, "another worker", "org.apache.kafka.connect.runtime.rest.RestClient", ""},
	{registry, "the schema registry", "software.amazon.awssdk.services.glue.", ""},
	{registry, "the schema registry", "io.confluent.kafka.schemaregistry.client.", ""},
	{registry, "the schema registry", "io.apicurio.registry.rest.client.", ""},
	{registry, "the schema registry", "io.apicurio.rest.client.", ""},
	{registry, "the schema registry", "com.amazonaws.services.schemaregistry.", ""},
	{registry, "the schema registry", "", "schema registry"},
	{registry, "the schema registry", "", "error retrieving avro"},
	{registry, "the schema registry", "", "error registering avro"},
	{registry, "the schema registry", "", "serializing avro message"},
	{database, "PostgreSQL", "org.postgresql.", ""},
	{database, "PostgreSQL", "io.debezium.connector.postgresql.", ""},
	{database, "MySQL", "com.mysql.", ""},
	{database, "MySQL", "com.github.shyiko.mysql.binlog.", ""},
	{database, "MySQL", "io.debezium.connector.mysql.", ""},
	{database, "MySQL", "io.debezium.connector.binlog.", ""},
	{database, "MariaDB", "org.mariadb.", ""},
	{database, "SQL Server", "com.microsoft.sqlserver.", ""},
	{database, "SQL Server", "io.debezium.connector.sqlserver.", ""},
	{database, "Oracle", "oracle.", ""},
	{database, "Oracle", "io.debezium.connector.oracle.", ""},
	{database, "Db2", "com.ibm.db2.", ""},
	{database, "MongoDB", "com.mongodb.", ""},
	{database, "MongoDB", "io.debezium.connector.mongodb.", ""},
	{database, "Cassandra", "com.datastax.", ""},
	{database, "Cassandra", "io.debezium.connector.cassandra.", ""},
	{database, "ScyllaDB", "com.scylladb.", ""},
	{database, "the database", "java.sql.", ""},
	{database, "the database", "org.hibernate.", ""},
	{database, "the database", "io.agroal.", ""},
	{database, "the database", "com.zaxxer.hikari.", ""},
	{database, "the database", "com.mchange.v2.c3p0.", ""},
	{database, "the database", "io.confluent.connect.jdbc.", ""},
	{database, "the database", "io.aiven.connect.jdbc.", ""},
	{database, "the database", "io.debezium.jdbc.", ""},
	{kafka, "Kafka", "org.apache.kafka.clients.", ""},
	{kafka, "Kafka", "org.apache.kafka.common.network.", ""},
	{kafka, "Kafka", "org.apache.kafka.common.errors.", ""},
}

// notKafka are classes of kafka's error package that converters throw.
var notKafka = []string{"org.apache.kafka.common.errors.SerializationException", "org.apache.kafka.common.errors.RecordDeserializationException"}

// whence finds the system that a chain's failure came from, looking from the deepest cause up.
func whence(links []Link, usual origin) origin {
	for i := len(links) - 1; i >= 0; i-- {
		if o, ok := from(links[i]); ok {
			return o
		}
	}
	if usual.system != anySystem {
		return usual
	}
	return origin{name: "the other side"}
}

// purposes tell by a connector's class what it connects Kafka with. Classes are folded; the first row that fits decides.
var purposes = []struct {
	class string
	origin
}{
	{"mirror", origin{system: kafka, name: "Kafka"}},
	{"postgres", origin{system: database, name: "PostgreSQL"}},
	{"mysql", origin{system: database, name: "MySQL"}},
	{"mariadb", origin{system: database, name: "MariaDB"}},
	{"sqlserver", origin{system: database, name: "SQL Server"}},
	{"oracle", origin{system: database, name: "Oracle"}},
	{"db2", origin{system: database, name: "Db2"}},
	{"mongo", origin{system: database, name: "MongoDB"}},
	{"scylla", origin{system: database, name: "ScyllaDB"}},
	{"cassandra", origin{system: database, name: "Cassandra"}},
	{"jdbc", origin{system: database, name: "the database"}},
	{"elasticsearch", origin{system: database, name: "Elasticsearch"}},
	{"opensearch", origin{system: database, name: "OpenSearch"}},
	{"snowflake", origin{system: database, name: "Snowflake"}},
	{"bigquery", origin{system: database, name: "BigQuery"}},
	{"clickhouse", origin{system: database, name: "ClickHouse"}},
	{"redshift", origin{system: database, name: "Redshift"}},
	{"neo4j", origin{system: database, name: "Neo4j"}},
	{"couchbase", origin{system: database, name: "Couchbase"}},
	{"influx", origin{system: database, name: "InfluxDB"}},
	{"redis", origin{system: database, name: "Redis"}},
	{"splunk", origin{system: database, name: "Splunk"}},
	{"salesforce", origin{system: database, name: "Salesforce"}},
	{"iceberg", origin{system: database, name: "the Iceberg catalog"}},
	{"s3", origin{system: database, name: "S3"}},
	{"gcs", origin{system: database, name: "Cloud Storage"}},
	{"azure", origin{system: database, name: "Azure"}},
	{"http", origin{system: database, name: "the HTTP service"}},
	{"hdfs", origin{system: database, name: "HDFS"}},
}

// ofClass is what a connector of this class connects Kafka with; the zero origin when nobody knows.
func ofClass(class string) origin {
	class = strings.ToLower(class)
	for _, p := range purposes {
		if class != "" && strings.Contains(class, p.class) {
			return p.origin
		}
	}
	return origin{}
}

func from(l Link) (origin, bool) {
	text := fold(l.Message)
	for _, o := range origins {
		if o.message != "" && matchFolded(o.message, text) {
			return o, true
		}
		if o.code == "" {
			continue
		}
		if matchAny([]string{o.code}, l.Class) && !matchAny(notKafka, l.Class) {
			return o, true
		}
		for _, f := range l.Frames {
			if matchAny([]string{o.code}, bare(f)) {
				return o, true
			}
		}
	}
	return origin{}, false
}

// bare drops the class loader and module that may stand before a frame's class: "app//", "java.base/".
func bare(frame string) string {
	for i := range len(frame) {
		switch frame[i] {
		case '(':
			return frame
		case '/':
			return bare(trimSlash(frame[i+1:]))
		}
	}
	return frame
}

func trimSlash(s string) string {
	for s != "" && s[0] == '/' {
		s = s[1:]
	}
	return s
}
