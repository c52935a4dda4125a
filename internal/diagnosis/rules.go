package diagnosis

import "strings"

// rule is one row of what we know about failures: when its patterns fit a link of a chain it argues for its slug, or
// against it. Patterns are folded; * matches anything; an empty one fits everything.
type rule struct {
	class   string // of the full class name
	message string
	frame   string // of any frame of the link
	system  system // where the chain's failure came from
	slug    Slug
	weight  float64 // 0 to 1: how often the slug is right when the row fits and nothing else is known
	against bool
	above   bool // it counts only where a cause stands below the link
	vague   bool // its words wrap other words that tell more
	retry   retry
	said    string // the failure in a few words; {system} is replaced, {message} is the link's message
}

// retry says what a plain restart does about it.
type retry int

const (
	usual retry = iota // what is usual for the slug
	helps
	futile
)

// rules argue about a chain. The table is read whole for every link; what several rows say about one slug adds up.
// Messages are those of the programs named in the headings; rules_test.go holds one real message per row.
var rules = []rule{
	// PostgreSQL (server errors by condition, JDBC driver texts).
	{message: "connection to * refused", class: "psqlexception", slug: DatabaseConnection, weight: .95, said: "PostgreSQL refused the connection"},
	{message: "the connection attempt failed", class: "psqlexception", vague: true, slug: DatabaseConnection, weight: .9, said: "no connection to PostgreSQL"},
	{message: "an i/o error occurred while sending to the backend", slug: DatabaseConnection, weight: .9, said: "the connection to PostgreSQL broke"},
	{message: "this connection has been closed", slug: DatabaseConnection, weight: .85, said: "the connection to PostgreSQL was closed"},
	{message: "terminating connection due to", slug: DatabaseConnection, weight: .9, said: "PostgreSQL ended the connection"},
	{message: "the database system is starting up", slug: DatabaseConnection, weight: .95, said: "PostgreSQL is starting up"},
	{message: "the database system is shutting down", slug: DatabaseConnection, weight: .95, said: "PostgreSQL is shutting down"},
	{message: "the database system is in recovery mode", slug: DatabaseConnection, weight: .95, said: "PostgreSQL is in recovery"},
	{message: "sorry, too many clients already", slug: DatabaseConnection, weight: .95, said: "PostgreSQL has no free connections"},
	{message: "remaining connection slots are reserved", slug: DatabaseConnection, weight: .95, said: "PostgreSQL has no free connections"},
	{message: "too many connections for", slug: DatabaseConnection, weight: .9, said: "PostgreSQL has no free connections"},
	{message: "canceling statement due to", slug: DatabaseConnection, weight: .75, said: "PostgreSQL cancelled a statement"},
	{message: "could not extend file*no space left on device", slug: DatabaseConnection, weight: .8, retry: futile, said: "PostgreSQL's disk is full"},
	{message: "cannot execute * in a read-only transaction", slug: DatabaseConnection, weight: .8, retry: futile, said: "the database is read-only (a standby?)"},
	{message: "password authentication failed for user", slug: Authentication, weight: .97, said: "PostgreSQL refused the password"},
	{message: "no pg_hba.conf entry for", slug: Authentication, weight: .93, said: "PostgreSQL admits no login from this host (pg_hba.conf)"},
	{message: "role * is not permitted to log in", slug: Authentication, weight: .96, said: "the role may not log in"},
	{message: "role * does not exist", slug: Authentication, weight: .95, said: "the role does not exist"},
	{message: "permission denied for", slug: Authentication, weight: .93, said: "permission denied: the role lacks a privilege"},
	{message: "must be owner of", slug: Authentication, weight: .88, said: "the role does not own the table"},
	{message: "must be superuser or replication role", slug: Authentication, weight: .93, said: "the role may not replicate"},
	{message: "the server requested password-based authentication, but no password was provided", slug: Authentication, weight: .95, said: "no password is configured"},
	{message: "database * does not exist", slug: ConfigError, weight: .85, said: "the database named in the configuration does not exist"},
	{message: "relation * does not exist", slug: TableSchemaMismatch, weight: .93, said: "the table does not exist"},
	{message: "column * does not exist", slug: TableSchemaMismatch, weight: .95, said: "a column is missing in the table"},
	{message: "column * of relation * does not exist", slug: TableSchemaMismatch, weight: .95, said: "a column is missing in the table"},
	{message: "is of type * but expression is of type", slug: TableSchemaMismatch, weight: .96, said: "a column has another type than the records"},
	{message: "violates not-null constraint", slug: TableSchemaMismatch, weight: .75, said: "a column forbids null, the record has none"},
	{message: "value too long for type", slug: TableSchemaMismatch, weight: .85, said: "a value does not fit its column"},
	{message: "no unique or exclusion constraint matching the on conflict", slug: TableSchemaMismatch, weight: .92, said: "the table lacks the key that upsert needs"},
	{message: "invalid input syntax for type", slug: TableSchemaMismatch, weight: .7, said: "a value does not fit its column's type"},
	{message: "invalid byte sequence for encoding", slug: ToleranceExceeded, weight: .8, said: "a record holds bytes that the database cannot store"},
	{message: "duplicate key value violates unique constraint", slug: ToleranceExceeded, weight: .7, said: "a record repeats a key that is already there"},
	{message: "violates foreign key constraint", slug: ToleranceExceeded, weight: .65, said: "a record refers to a row that is not there"},
	{message: "numeric field overflow", slug: TableSchemaMismatch, weight: .8, said: "a number does not fit its column"},

	// MySQL, SQL Server, Oracle.
	{message: "communications link failure", slug: DatabaseConnection, weight: .93, said: "no connection to MySQL"},
	{message: "access denied for user", slug: Authentication, weight: .96, said: "MySQL refused the login"},
	{message: "unknown column * in", slug: TableSchemaMismatch, weight: .93, said: "a column is missing in the table"},
	{message: "data too long for column", slug: TableSchemaMismatch, weight: .85, said: "a value does not fit its column"},
	{message: "public key retrieval is not allowed", slug: ConfigError, weight: .85, said: "the login to MySQL needs allowPublicKeyRetrieval"},
	{message: "login failed for user", slug: Authentication, weight: .96, said: "SQL Server refused the login"},
	{message: "the tcp/ip connection to the host * has failed", slug: DatabaseConnection, weight: .93, said: "no connection to SQL Server"},
	{message: "invalid column name", slug: TableSchemaMismatch, weight: .9, said: "a column is missing in the table"},
	{message: "ora-01017", slug: Authentication, weight: .97, said: "Oracle refused the login"},
	{message: "ora-28000", slug: Authentication, weight: .97, said: "the Oracle account is locked"},
	{message: "ora-28001", slug: Authentication, weight: .97, said: "the Oracle password has expired"},
	{message: "ora-12541", slug: DatabaseConnection, weight: .95, said: "Oracle's listener does not answer"},
	{message: "ora-12514", slug: DatabaseConnection, weight: .8, said: "Oracle's listener does not know the service"},
	{message: "ora-00904", slug: TableSchemaMismatch, weight: .93, said: "a column is missing in the table"},
	{message: "ora-00942", slug: TableSchemaMismatch, weight: .85, said: "the table does not exist"},

	// Cassandra and ScyllaDB drivers.
	{class: "nohostavailableexception", slug: DatabaseConnection, weight: .85, said: "no Cassandra node answers"},
	{class: "allnodesfailedexception", slug: DatabaseConnection, weight: .85, said: "no Cassandra node answers"},
	{message: "could not reach any contact point", slug: DatabaseConnection, weight: .9, said: "no Cassandra node answers"},
	{class: "unavailableexception", message: "not enough replicas", slug: DatabaseConnection, weight: .9, said: "too few Cassandra replicas are up"},
	{message: "provided username *and/or password are incorrect", slug: Authentication, weight: .97, said: "Cassandra refused the login"},
	{class: "com.datastax.*unauthorizedexception", slug: Authentication, weight: .93, said: "the Cassandra role lacks a privilege"},
	{class: "com.datastax.*authenticationexception", slug: Authentication, weight: .95, said: "Cassandra refused the login"},
	{message: "authenticationexception: authentication error on", slug: Authentication, weight: .9, said: "Cassandra refused the login"},
	{message: "authenticationexception: authentication error on", slug: DatabaseConnection, weight: .9, against: true},
	{message: "unconfigured table", slug: TableSchemaMismatch, weight: .9, said: "the Cassandra table does not exist"},
	{message: "undefined column name", slug: TableSchemaMismatch, weight: .93, said: "a column is missing in the Cassandra table"},
	{class: "cdcwriteexception", slug: DatabaseConnection, weight: .8, retry: futile, said: "Cassandra's CDC space is full"},

	// Elasticsearch and OpenSearch.
	{message: "cluster_block_exception", slug: DatabaseConnection, weight: .9, retry: futile, said: "the index is blocked: read-only, or the disk is full"},

	// MongoDB driver.
	{class: "mongotimeoutexception", slug: DatabaseConnection, weight: .9, said: "no MongoDB server answers"},
	{class: "mongosecurityexception", slug: Authentication, weight: .95, said: "MongoDB refused the login"},

	// Any database through JDBC, Hibernate or a pool.
	{class: "io.debezium.jdbc.jdbcconnectionexception", slug: DatabaseConnection, weight: .4, said: "{message}"}, // any SQL error
	{class: "hibernate.exception.jdbcconnectionexception", slug: DatabaseConnection, weight: .85, said: "no connection to {system}"},
	{class: "sqltransientconnectionexception", slug: DatabaseConnection, weight: .85, said: "no free or working connection to {system}"},
	{class: "sqlnontransientconnectionexception", slug: DatabaseConnection, weight: .85, said: "no connection to {system}"},
	{message: "acquisition timeout while waiting for new connection", slug: DatabaseConnection, weight: .85, said: "no free connection to {system}"},
	{message: "unable to acquire jdbc connection", slug: DatabaseConnection, weight: .5, said: "no connection to {system}"},
	{class: "org.hibernate.exception.authexception", slug: Authentication, weight: .85, said: "{system} refused the login or lacks a privilege"},
	{class: "org.hibernate.exception.authexception", slug: DatabaseConnection, weight: .9, against: true},
	{message: "authentication failed", system: database, slug: Authentication, weight: .88, said: "{system} refused the login"},
	{message: "invalid credentials", slug: Authentication, weight: .9, said: "the credentials are invalid"},
	// The lab's a2 and b2: a task that starts without its database loses the reason. Probes have to tell.
	{message: "unable to determine dialect without jdbc metadata", slug: DatabaseConnection, weight: .55, said: "no connection to the database when the task started"},
	{message: "unable to determine dialect without jdbc metadata", slug: Authentication, weight: .35, said: "no login to the database when the task started"},
	{message: "unable to obtain isolated jdbc connection", slug: DatabaseConnection, weight: .6, said: "no connection to the database when the task started"},
	{class: "sqlgrammarexception", slug: TableSchemaMismatch, weight: .6, said: "{system} does not understand the statement: table and records differ"},

	// JDBC sinks: Debezium, Confluent, Aiven.
	{message: "cannot alter table * because schema evolution is disabled", slug: TableSchemaMismatch, weight: .97, said: "the table lacks a column, and schema evolution is off"},
	{message: "could not find table", slug: TableSchemaMismatch, weight: .95, said: "the table is missing, and schema evolution is off"},
	{class: "tablealterorcreateexception", slug: TableSchemaMismatch, weight: .95, said: "the table must be altered, and the connector may not"},
	{message: "cannot alter to add missing field", slug: TableSchemaMismatch, weight: .93, said: "the table lacks a column that cannot be added: it is not optional and has no default"},
	{message: "is missing fields", slug: TableSchemaMismatch, weight: .88, said: "the table lacks columns, and auto.evolve is off"},
	{message: "auto-creation is disabled", slug: TableSchemaMismatch, weight: .93, said: "the table is missing, and auto.create is off"},
	{message: "auto-evolution is disabled", slug: TableSchemaMismatch, weight: .93, said: "the table lacks a column, and auto.evolve is off"},
	{message: "type mismatch for column", slug: TableSchemaMismatch, weight: .93, said: "a column has another type than the records"},
	{message: "pk mode for table * is record_key, but record key schema is missing", slug: ConfigError, weight: .85, said: "pk.mode=record_key, but the records have no key schema"},
	{message: "requires records with a non-null struct value and non-null struct", slug: ToleranceExceeded, weight: .8, said: "a record has no schema or is a tombstone"},

	// Schema registries. What the registry answers about a subject is its; that it does not answer, too.
	{class: "io.apicurio.registry.rest.client.exception.restclientexception", slug: SchemaRegistry, weight: .85, said: "the schema registry does not answer"},
	{class: "io.apicurio.rest.client.*exception", slug: SchemaRegistry, weight: .85, said: "the schema registry does not answer"},
	{class: "io.confluent.kafka.schemaregistry.client.rest.exceptions.restclientexception", slug: SchemaRegistry, weight: .85, said: "the schema registry refused: {message}"},
	{message: "error retrieving avro schema", slug: SchemaRegistry, weight: .85, said: "no schema from the registry"},
	{message: "error retrieving avro * schema", slug: SchemaRegistry, weight: .85, said: "no schema from the registry"},
	{message: "error retrieving json schema", slug: SchemaRegistry, weight: .85, said: "no schema from the registry"},
	{message: "error retrieving protobuf schema", slug: SchemaRegistry, weight: .85, said: "no schema from the registry"},
	{message: "error registering * schema", vague: true, slug: SchemaRegistry, weight: .8, said: "the schema could not be registered"},
	{message: "failed to retrieve schema for id", slug: SchemaRegistry, weight: .9, said: "no schema from the registry"},
	{message: "schema registry * not available", slug: SchemaRegistry, weight: .93, said: "the schema registry is not available"},
	{message: "schema registry not available", slug: SchemaRegistry, weight: .93, said: "the schema registry is not available"},
	{class: "entitynotfoundexception", system: registry, slug: SchemaRegistry, weight: .9, retry: futile, said: "the registry does not know the schema"},
	{message: "error code: 404", system: registry, slug: SchemaRegistry, weight: .6, retry: futile, said: "the registry does not know the schema"},
	{message: "incompatible with an earlier schema", slug: SchemaRegistry, weight: .85, retry: futile, said: "the registry refuses the new schema as incompatible"},
	{message: "unauthorized; error code: 401", slug: Authentication, weight: .95, said: "the schema registry refused the login"},
	{message: "unauthorized; error code: 401", slug: SchemaRegistry, weight: .8, against: true},
	{class: "java.net.*exception", system: registry, slug: SchemaRegistry, weight: .9, said: "the schema registry cannot be reached"},
	{class: "javax.net.ssl.*exception", system: registry, slug: SchemaRegistry, weight: .9, retry: futile, said: "no TLS with the schema registry"},

	// The record itself: conversion, deserialization, transformation.
	{message: "tolerance exceeded in error handler", above: true, vague: true, slug: ToleranceExceeded, weight: .5, said: "a record could not be processed, and errors.tolerance is none"},
	{message: "tolerance exceeded in error handler", frame: "org.apache.kafka.connect.runtime.transformationchain", vague: true, slug: ToleranceExceeded, weight: .5, said: "a transformation failed on a record, and errors.tolerance is none"},
	{message: "tolerance exceeded in error handler", vague: true, slug: ToleranceExceeded, weight: .35, said: "a record could not be processed, and errors.tolerance is none"},
	{message: "unknown magic byte", slug: ToleranceExceeded, weight: .93, said: "a record is not in the registry's format (unknown magic byte)"},
	{message: "error deserializing", vague: true, slug: ToleranceExceeded, weight: .7, said: "a record cannot be deserialized"},
	{message: "failed to deserialize data", vague: true, slug: ToleranceExceeded, weight: .55, said: "a record cannot be deserialized"},
	{message: "converting byte[] to kafka connect data failed due to serialization error", vague: true, slug: ToleranceExceeded, weight: .7, said: "a record cannot be deserialized"},
	{message: "jsonconverter with schemas.enable requires", slug: ToleranceExceeded, weight: .85, said: "records have no schema envelope, and schemas.enable is on"},
	{class: "com.fasterxml.jackson.*exception", slug: ToleranceExceeded, weight: .85, said: "a record is no valid JSON"},
	{class: "org.apache.avro.*exception", slug: ToleranceExceeded, weight: .7, said: "a record does not fit its Avro schema"},
	{message: "artifactid cannot be null", slug: ToleranceExceeded, weight: .8, said: "a record carries no schema ID"},
	{class: "org.apache.kafka.connect.errors.dataexception", slug: ToleranceExceeded, weight: .55, said: "a record cannot be converted: {message}"},
	{class: "schemabuilderexception", slug: ToleranceExceeded, weight: .6, said: "a record's schema is invalid"},
	{class: "recordtoolargeexception", slug: ToleranceExceeded, weight: .9, said: "a record is larger than the broker takes"},
	{frame: "org.apache.kafka.connect.transforms.", slug: ToleranceExceeded, weight: .6, said: "a transformation failed on a record"},
	{message: "could not find or create dead letter queue topic", slug: ToleranceExceeded, weight: .75, retry: futile, said: "the dead letter queue's topic cannot be made"},
	{message: "replication factor*larger than available brokers", slug: ConfigError, weight: .7, said: "a topic wants more replicas than there are brokers"},
	// A registry or a database behind the tolerance message is not the record's fault.
	{class: "java.net.*exception", slug: ToleranceExceeded, weight: .9, against: true},
	{class: "io.apicurio.registry.rest.client.exception.restclientexception", slug: ToleranceExceeded, weight: .8, against: true},
	{class: "io.apicurio.rest.client.*exception", slug: ToleranceExceeded, weight: .8, against: true},
	{class: "io.confluent.kafka.schemaregistry.client.rest.exceptions.restclientexception", slug: ToleranceExceeded, weight: .8, against: true},

	// Kafka itself.
	{message: "failed to update metadata after", slug: KafkaBroker, weight: .85, said: "Kafka's brokers do not answer"},
	{message: "not present in metadata after", slug: KafkaBroker, weight: .75, said: "a topic is not there, or Kafka's brokers do not answer"},
	{message: "expiring * record(s) for", slug: KafkaBroker, weight: .85, said: "records could not be delivered to Kafka in time"},
	{message: "broker may not be available", slug: KafkaBroker, weight: .85, said: "Kafka's broker cannot be reached"},
	{message: "no resolvable bootstrap urls", slug: KafkaBroker, weight: .75, retry: futile, said: "Kafka's address cannot be resolved"},
	{message: "no resolvable bootstrap urls", slug: ConfigError, weight: .4, against: true},
	{class: "disconnectexception", slug: KafkaBroker, weight: .8, said: "Kafka's broker hung up"},
	{class: "org.apache.kafka.common.errors.timeoutexception", slug: KafkaBroker, weight: .8, said: "Kafka did not answer in time"},
	{class: "coordinatornotavailableexception", slug: KafkaBroker, weight: .85, said: "Kafka's group coordinator is not available"},
	{class: "notenoughreplicas*exception", slug: KafkaBroker, weight: .9, said: "a Kafka partition has too few in-sync replicas"},
	{class: "notleader*exception", slug: KafkaBroker, weight: .85, said: "a Kafka partition has no leader"},
	{class: "brokernotavailableexception", slug: KafkaBroker, weight: .9, said: "a Kafka broker is not available"},
	{class: "kafkastorageexception", slug: KafkaBroker, weight: .9, said: "Kafka's broker has a disk in trouble"},
	{class: "java.net.*exception", system: kafka, slug: KafkaBroker, weight: .85, said: "Kafka's broker cannot be reached"},
	{class: "org.apache.kafka.common.errors.sasl*exception", slug: Authentication, weight: .93, said: "Kafka refused the login"},
	{class: "org.apache.kafka.common.errors.*authorizationexception", slug: Authentication, weight: .93, said: "Kafka's ACLs forbid it: {message}"},
	{class: "org.apache.kafka.common.errors.sslauthenticationexception", slug: Authentication, weight: .9, said: "no TLS with Kafka"},
	{class: "producerfencedexception", slug: WorkerFailure, weight: .8, retry: helps, said: "another task with the same transactional ID took over"},

	{message: "unexpected error in *response", slug: KafkaBroker, weight: .8, said: "a broker answered with an error of its own"},

	// Where a source had come to.
	{message: "replication slot * does not exist", slug: SourcePositionLost, weight: .9, said: "the replication slot is gone"},
	{message: "requested wal segment * has already been removed", slug: SourcePositionLost, weight: .95, said: "PostgreSQL has removed the WAL that the connector still needs"},
	{message: "cannot read from logical replication slot", slug: SourcePositionLost, weight: .9, said: "the replication slot is lost"},
	{message: "replication slot * already exists", slug: ConfigError, weight: .8, said: "the replication slot is there already: another connector's, or one that was left behind"},
	{message: "can no longer get changes from replication slot", slug: SourcePositionLost, weight: .95, said: "the replication slot is lost"},
	{message: "replication slot * is active for pid", slug: WorkerFailure, weight: .75, retry: helps, said: "another process still holds the replication slot"},
	{message: "the connector is trying to read binlog starting at * but this is no longer available on the server", slug: SourcePositionLost, weight: .97, said: "MySQL has purged the binlog that the connector still needs"},
	{message: "could not find first log file name in binary log index file", slug: SourcePositionLost, weight: .96, said: "MySQL has purged the binlog that the connector still needs"},
	{message: "purged binary logs containing gtids that the", slug: SourcePositionLost, weight: .96, said: "MySQL has purged the GTIDs that the connector still needs"},
	{message: "the db history topic is missing", slug: SourcePositionLost, weight: .9, said: "the schema history topic is missing"},
	{message: "the db history topic or its content is fully or partially missing", slug: SourcePositionLost, weight: .93, said: "the schema history topic has lost content"},
	{message: "none of the log files contains offset scn", slug: SourcePositionLost, weight: .95, said: "Oracle no longer has the redo log that the connector still needs"},
	{message: "resume of change stream was not possible", slug: SourcePositionLost, weight: .95, said: "MongoDB's oplog no longer reaches back to the connector's position"},
	{message: "resume point may no longer be in the oplog", slug: SourcePositionLost, weight: .95, said: "MongoDB's oplog no longer reaches back to the connector's position"},
	{class: "offsetoutofrangeexception", slug: SourcePositionLost, weight: .85, said: "Kafka no longer holds the offset that the connector needs"},
	{class: "nooffsetforpartitionexception", slug: SourcePositionLost, weight: .8, said: "there is no committed offset and no reset policy"},

	// The worker.
	{class: "java.lang.outofmemoryerror", slug: WorkerFailure, weight: .95, retry: futile, said: "the worker is out of memory ({message})"},
	{class: "java.lang.stackoverflowerror", slug: WorkerFailure, weight: .7, retry: futile, said: "the worker's stack overflowed"},
	{class: "java.lang.noclassdeffounderror", slug: WorkerFailure, weight: .9, retry: futile, said: "a class is missing on the worker: {message}"},
	{class: "java.lang.classnotfoundexception", slug: WorkerFailure, weight: .85, retry: futile, said: "a class is missing on the worker: {message}"},
	{class: "java.lang.nosuchmethoderror", slug: WorkerFailure, weight: .9, retry: futile, said: "the worker has a plugin of the wrong version: {message}"},
	{class: "java.util.serviceconfigurationerror", slug: WorkerFailure, weight: .8, retry: futile, said: "a plugin on the worker does not fit"},
	{message: "failed to find any class that implements", slug: WorkerFailure, weight: .9, retry: futile, said: "the plugin is not installed on the worker"},
	{message: "no suitable driver found for", slug: WorkerFailure, weight: .85, retry: futile, said: "the JDBC driver is missing on the worker"},
	{message: "no space left on device", slug: WorkerFailure, weight: .6, retry: futile, said: "a disk is full"},
	{message: "no space left on device", class: "*sqlexception", slug: DatabaseConnection, weight: .9, retry: futile, said: "the database's disk is full"},
	{message: "no space left on device", class: "*sqlexception", slug: WorkerFailure, weight: .9, against: true},
	{message: "no current assignment for partition", slug: WorkerFailure, weight: .85, retry: helps, said: "a rebalance took the partition away while the task used it"},
	{message: "too many open files", slug: WorkerFailure, weight: .85, retry: helps, said: "the worker is out of file handles"},
	{class: "org.apache.iceberg.exceptions.commitfailedexception", slug: DatabaseConnection, weight: .9, said: "another writer changed the table at the same time: {message}"},
	{class: "org.apache.iceberg.exceptions.commitfailedexception", slug: WorkerFailure, weight: .9, against: true},
	{class: "commitfailedexception", slug: WorkerFailure, weight: .7, retry: helps, said: "the task was too slow between polls and lost its partitions"},
	{message: "rebalance is expected", slug: WorkerFailure, weight: .6, retry: helps, said: "the workers are rebalancing"},
	{class: "connectrestexception", message: "connection refused", slug: WorkerFailure, weight: .9, retry: helps, said: "a worker of the cluster is gone"},
	{class: "connectrestexception", message: "connection refused", slug: DatabaseConnection, weight: .9, against: true},
	{class: "java.net.*exception", system: worker, slug: WorkerFailure, weight: .9, retry: helps, said: "another worker of the cluster cannot be reached"},
	{class: "java.net.*exception", system: worker, slug: DatabaseConnection, weight: .9, against: true},
	{class: "java.net.*exception", system: worker, slug: KafkaBroker, weight: .9, against: true},
	{message: "forwarding rest request", slug: WorkerFailure, weight: .85, retry: helps, said: "another worker of the cluster cannot be reached"},
	{message: "io error trying to forward rest request", slug: WorkerFailure, weight: .85, retry: helps, said: "a worker of the cluster is gone"},

	// Configuration.
	{class: "configexception", slug: ConfigError, weight: .85, said: "the configuration is invalid: {message}"},
	{message: "connector configuration is invalid", slug: ConfigError, weight: .65, vague: true, said: "the configuration is invalid"},
	{message: "error configuring an instance of", vague: true, slug: ConfigError, weight: .88, said: "the configuration is invalid"},
	{message: "invalid value * for configuration", slug: ConfigError, weight: .9, said: "the configuration is invalid: {message}"},
	{message: "contains no connector type", slug: ConfigError, weight: .9, said: "the configuration has no connector.class"},
	{message: "missing required configuration", slug: ConfigError, weight: .93, said: "the configuration is incomplete: {message}"},
	{message: "could not read file", frame: "org.apache.kafka.common.config.provider.", slug: ConfigError, weight: .85, said: "a secret's file cannot be read on the worker"},
	{class: "java.lang.classcastexception", frame: "java.lang.class.assubclass", slug: ConfigError, weight: .85, said: "the configured class is not of the kind that is needed: {message}"},
	{message: "no tasks will be run because no tables were found", slug: ConfigError, weight: .85, said: "no table fits what is configured"},
	{message: "must be set to a valid", slug: ConfigError, weight: .9, said: "the configuration is incomplete: {message}"},
	{message: "publication * does not exist", slug: ConfigError, weight: .85, said: "the publication does not exist"},
	{message: "wal_level property must be", slug: ConfigError, weight: .9, said: "PostgreSQL's wal_level is not logical"},

	// What any network peer may answer: worth less the less is known of who it was.
	{message: "connection refused", system: database, slug: DatabaseConnection, weight: .9, said: "{system} refused the connection"},
	{message: "connection refused", slug: DatabaseConnection, weight: .5, said: "{system} refused the connection"},
	{message: "connection reset", system: database, slug: DatabaseConnection, weight: .85, said: "the connection to {system} broke"},
	{message: "connection reset", slug: DatabaseConnection, weight: .4, said: "a connection broke"},
	{class: "java.net.unknownhostexception", system: database, slug: DatabaseConnection, weight: .8, said: "the name of {system}'s host cannot be resolved"},
	{class: "java.net.noroutetohostexception", slug: DatabaseConnection, weight: .5, said: "there is no route to {system}"},
	{class: "java.net.sockettimeoutexception", system: database, slug: DatabaseConnection, weight: .85, said: "{system} did not answer in time"},
	{class: "java.net.sockettimeoutexception", slug: DatabaseConnection, weight: .4, said: "{system} did not answer in time"},
	{class: "java.io.eofexception", system: database, slug: DatabaseConnection, weight: .7, said: "the connection to {system} broke"},
	{class: "java.net.*exception", system: registry, slug: DatabaseConnection, weight: .9, against: true},
	{class: "java.net.*exception", system: kafka, slug: DatabaseConnection, weight: .9, against: true},
}

// fits says whether a rule's patterns fit a link of a chain whose failure came from sys.
func (r rule) fits(f folded, sys system) bool {
	if r.system != anySystem && r.system != sys {
		return false
	}
	if !matchFolded(r.class, f.class) || !matchFolded(r.message, f.message) {
		return false
	}
	return r.frame == "" || strings.Contains(f.frames, r.frame)
}

// folded is a link ready for matching.
type folded struct {
	class, message, frames string
}

func foldLink(l Link) folded {
	message := l.Message
	if !isClass(l.Class) { // "Caused by: Connection reset": all of it is what was said
		message = l.Class + " " + message
	}
	return folded{strings.ToLower(l.Class), fold(message), strings.ToLower(strings.Join(l.Frames, "\n"))}
}
