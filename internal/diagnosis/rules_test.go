package diagnosis

import (
	"strings"
	"testing"
)

// samples are real messages, each as "Class: message" from the outermost exception to the deepest, frames behind " @ ".
// trace spells them out. Sources are where the program in question, or a report of it, has the words.
var samples = expand([]sample{
	// PostgreSQL: server messages from its errcodes and ereport texts; pgjdbc: ConnectionFactoryImpl, PgConnection.
	// Kafka: SubscriptionState.assignedState, TransactionManager.AddOffsetsToTxnHandler; JDBC source: JdbcSourceConnector.taskConfigs;
	// the JDK: Class.asSubclass; MySQL: error 1021 ER_DISK_FULL.
	{"partition taken away", WorkerFailure, "java.lang.IllegalStateException: No current assignment for partition orders-0"},
	{"broker's own error", KafkaBroker, "org.apache.kafka.common.KafkaException: Unexpected error in AddOffsetsToTxnResponse: The server experienced an unexpected error when processing the request."},
	{"no tables", ConfigError, "org.apache.kafka.connect.errors.ConnectException: No tasks will be run because no tables were found"},
	{"not a valid schema", ConfigError, "org.apache.kafka.connect.errors.DataException: 'value.schema' must be set to a valid schema"},
	{"not a subclass", ConfigError, "java.lang.ClassCastException: class com.ibm.eventstreams.connect.mqsource.MQSourceConnector\n\tat java.lang.Class.asSubclass(Class.java:3404)"},
	{"iceberg commit", DatabaseConnection, "org.apache.iceberg.exceptions.CommitFailedException: Cannot commit: Glue detected concurrent update to table"},
	{"database's disk", DatabaseConnection, "java.sql.SQLException: Disk full (/tmp/#sql_1_0.MAI); waiting for someone to free some space... (errno: 28 \"No space left on device\")"},
	{"pg refused", DatabaseConnection, "org.apache.kafka.connect.errors.ConnectException: Exiting WorkerSinkTask due to unrecoverable exception.|org.postgresql.util.PSQLException: Connection to db:5432 refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections."},
	{"pg attempt failed", DatabaseConnection, "org.postgresql.util.PSQLException: The connection attempt failed.|java.net.SocketTimeoutException: Connect timed out"},
	{"pg attempt failed, host unknown", DatabaseConnection, "org.postgresql.util.PSQLException: The connection attempt failed.|java.net.UnknownHostException: postgres"},
	{"pg i/o error", DatabaseConnection, "org.postgresql.util.PSQLException: An I/O error occurred while sending to the backend.|java.io.EOFException"},
	{"pg closed", DatabaseConnection, "org.apache.kafka.connect.errors.ConnectException: java.sql.SQLException|org.postgresql.util.PSQLException: This connection has been closed."},
	{"pg terminated", DatabaseConnection, "org.postgresql.util.PSQLException: FATAL: terminating connection due to administrator command"},
	{"pg starting", DatabaseConnection, "org.postgresql.util.PSQLException: FATAL: the database system is starting up"},
	{"pg stopping", DatabaseConnection, "org.postgresql.util.PSQLException: FATAL: the database system is shutting down"},
	{"pg recovering", DatabaseConnection, "org.postgresql.util.PSQLException: FATAL: the database system is in recovery mode"},
	{"pg clients", DatabaseConnection, "org.postgresql.util.PSQLException: FATAL: sorry, too many clients already"},
	{"pg slots", DatabaseConnection, "org.postgresql.util.PSQLException: FATAL: remaining connection slots are reserved for non-replication superuser connections"},
	{"pg role limit", DatabaseConnection, `org.postgresql.util.PSQLException: FATAL: too many connections for role "sink"`},
	{"pg statement timeout", DatabaseConnection, "java.sql.BatchUpdateException: Batch entry 0 INSERT INTO x was aborted|org.postgresql.util.PSQLException: ERROR: canceling statement due to statement timeout"},
	{"pg disk", DatabaseConnection, `org.postgresql.util.PSQLException: ERROR: could not extend file "base/16384/16385": No space left on device`},
	{"pg standby", DatabaseConnection, "org.postgresql.util.PSQLException: ERROR: cannot execute INSERT in a read-only transaction"},
	{"pg password", Authentication, `org.postgresql.util.PSQLException: FATAL: password authentication failed for user "sink"`},
	{"pg hba", Authentication, `org.postgresql.util.PSQLException: FATAL: no pg_hba.conf entry for host "10.0.0.7", user "sink", database "shop", no encryption`},
	{"pg nologin", Authentication, `org.postgresql.util.PSQLException: FATAL: role "sink" is not permitted to log in`},
	{"pg no role", Authentication, `org.postgresql.util.PSQLException: FATAL: role "sink" does not exist`},
	{"pg permission", Authentication, "org.postgresql.util.PSQLException: ERROR: permission denied for table orders"},
	{"pg owner", Authentication, "org.postgresql.util.PSQLException: ERROR: must be owner of table orders"},
	{"pg replication role", Authentication, "io.debezium.DebeziumException: x|org.postgresql.util.PSQLException: FATAL: must be superuser or replication role to start walsender"},
	{"pg no password", Authentication, "org.postgresql.util.PSQLException: The server requested password-based authentication, but no password was provided by plugin null"},
	{"pg no database", ConfigError, `org.postgresql.util.PSQLException: FATAL: database "shop2" does not exist`},
	{"pg no relation", TableSchemaMismatch, `org.postgresql.util.PSQLException: ERROR: relation "cdc_orders" does not exist`},
	{"pg no column", TableSchemaMismatch, `org.postgresql.util.PSQLException: ERROR: column "age" of relation "cdc_users" does not exist`},
	{"pg type", TableSchemaMismatch, `org.postgresql.util.PSQLException: ERROR: column "shop" is of type integer but expression is of type character varying`},
	{"pg not null", TableSchemaMismatch, `org.postgresql.util.PSQLException: ERROR: null value in column "shop" of relation "orders" violates not-null constraint`},
	{"pg too long", TableSchemaMismatch, "org.postgresql.util.PSQLException: ERROR: value too long for type character varying(20)"},
	{"pg upsert key", TableSchemaMismatch, "org.postgresql.util.PSQLException: ERROR: there is no unique or exclusion constraint matching the ON CONFLICT specification"},
	{"pg syntax of value", TableSchemaMismatch, `org.postgresql.util.PSQLException: ERROR: invalid input syntax for type integer: "north"`},
	{"pg bytes", ToleranceExceeded, `org.postgresql.util.PSQLException: ERROR: invalid byte sequence for encoding "UTF8": 0x00`},
	{"pg duplicate", ToleranceExceeded, `org.postgresql.util.PSQLException: ERROR: duplicate key value violates unique constraint "orders_pkey"`},
	{"pg foreign key", ToleranceExceeded, `org.postgresql.util.PSQLException: ERROR: insert or update on table "a" violates foreign key constraint "a_b_fk"`},
	{"pg overflow", TableSchemaMismatch, "org.postgresql.util.PSQLException: ERROR: numeric field overflow"},

	// MySQL Connector/J and server messages; SQL Server; Oracle error codes.
	{"mysql link", DatabaseConnection, "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure|java.net.ConnectException: Connection refused"},
	{"mysql denied", Authentication, "java.sql.SQLException: Access denied for user 'sink'@'10.0.0.7' (using password: YES)"},
	{"mysql column", TableSchemaMismatch, "java.sql.SQLSyntaxErrorException: Unknown column 'age' in 'field list'"},
	{"mysql too long", TableSchemaMismatch, "com.mysql.cj.jdbc.exceptions.MysqlDataTruncation: Data truncation: Data too long for column 'shop' at row 1"},
	{"mysql key retrieval", ConfigError, "com.mysql.cj.exceptions.UnableToConnectException: Public Key Retrieval is not allowed"},
	{"sqlserver login", Authentication, "com.microsoft.sqlserver.jdbc.SQLServerException: Login failed for user 'sa'. ClientConnectionId:1"},
	{"sqlserver down", DatabaseConnection, `com.microsoft.sqlserver.jdbc.SQLServerException: The TCP/IP connection to the host db, port 1433 has failed. Error: "Connection refused.`},
	{"sqlserver column", TableSchemaMismatch, "com.microsoft.sqlserver.jdbc.SQLServerException: Invalid column name 'age'."},
	{"oracle login", Authentication, "java.sql.SQLException: ORA-01017: invalid username/password; logon denied"},
	{"oracle locked", Authentication, "java.sql.SQLException: ORA-28000: the account is locked"},
	{"oracle expired", Authentication, "java.sql.SQLException: ORA-28001: the password has expired"},
	{"oracle listener", DatabaseConnection, "oracle.net.ns.NetException: ORA-12541: TNS:no listener"},
	{"oracle service", DatabaseConnection, "oracle.net.ns.NetException: ORA-12514, TNS:listener does not currently know of service requested in connect descriptor"},
	{"oracle column", TableSchemaMismatch, `java.sql.SQLSyntaxErrorException: ORA-00904: "AGE": invalid identifier`},
	{"oracle table", TableSchemaMismatch, "java.sql.SQLSyntaxErrorException: ORA-00942: table or view does not exist"},

	// Cassandra: DataStax drivers 3 and 4, server messages. vdesabou/kafka-docker-playground #8519, stargate/data-api #945.
	{"cassandra 3 down", DatabaseConnection, "com.datastax.driver.core.exceptions.NoHostAvailableException: All host(s) tried for query failed (tried: cassandra/172.18.0.2:9042 (com.datastax.driver.core.exceptions.TransportException: [cassandra/172.18.0.2:9042] Cannot connect))"},
	{"cassandra 4 down", DatabaseConnection, "com.datastax.oss.driver.api.core.AllNodesFailedException: Could not reach any contact point, make sure you've provided valid addresses (showing first 1 nodes, use getAllErrors() for more): Node(endPoint=cassandra/<unresolved>:9042, hostId=null, hashCode=662d2e28): [java.net.UnknownHostException: cassandra]"},
	{"cassandra 4 login", Authentication, "com.datastax.oss.driver.api.core.AllNodesFailedException: Could not reach any contact point, make sure you've provided valid addresses (showing first 1 nodes, use getAllErrors() for more): Node(endPoint=/127.0.0.1:9042, hostId=null, hashCode=d7187f4): [com.datastax.oss.driver.api.core.auth.AuthenticationException: Authentication error on node /127.0.0.1:9042: server replied with 'Provided username token and/or password are incorrect' to AuthResponse request]"},
	{"cassandra 3 login", Authentication, "com.datastax.driver.core.exceptions.AuthenticationException: Authentication error on host cassandra/172.18.0.2:9042: Provided username sink and/or password are incorrect"},
	{"cassandra replicas", DatabaseConnection, "com.datastax.driver.core.exceptions.UnavailableException: Not enough replicas available for query at consistency QUORUM (2 required but only 1 alive)"},
	{"cassandra privilege", Authentication, "com.datastax.oss.driver.api.core.servererrors.UnauthorizedException: User sink has no MODIFY permission on <table shop.orders> or any of its parents"},
	{"cassandra table", TableSchemaMismatch, "com.datastax.oss.driver.api.core.servererrors.InvalidQueryException: unconfigured table orders"},
	{"cassandra column", TableSchemaMismatch, "com.datastax.oss.driver.api.core.servererrors.InvalidQueryException: Undefined column name age in table shop.orders"},
	{"cassandra cdc space", DatabaseConnection, "org.apache.cassandra.exceptions.CDCWriteException: Rejecting mutation to keyspace shop. Free up space in cdc_raw by processing CDC logs."},

	// MongoDB driver.
	{"mongo down", DatabaseConnection, "com.mongodb.MongoTimeoutException: Timed out after 30000 ms while waiting to connect. Client view of cluster state is {type=UNKNOWN, servers=[{address=mongo:27017}]}"},
	{"mongo login", Authentication, "com.mongodb.MongoSecurityException: Exception authenticating MongoCredential{mechanism=SCRAM-SHA-256, userName='sink'}"},

	// JDBC, Hibernate, Agroal, HikariCP.
	{"hibernate connection", DatabaseConnection, "org.hibernate.exception.JDBCConnectionException: Unable to acquire JDBC Connection [n/a]|java.sql.SQLException: I/O exception"},
	{"hikari", DatabaseConnection, "java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms."},
	{"mysql nontransient", DatabaseConnection, "java.sql.SQLNonTransientConnectionException: Could not create connection to database server."},
	{"agroal", DatabaseConnection, "java.sql.SQLException: Acquisition timeout while waiting for new connection"},
	{"hibernate auth", Authentication, `org.hibernate.exception.AuthException: Unable to acquire JDBC Connection [FATAL: Ident authentication failed for user "sink"] [n/a]`},
	{"mongo command", Authentication, "com.mongodb.MongoCommandException: Command failed with error 18 (AuthenticationFailed): 'Authentication failed.' on server mongo:27017"},
	{"invalid credentials", Authentication, "java.lang.SecurityException: LDAP: error code 49 - Invalid Credentials"},
	{"dialect", DatabaseConnection, "org.hibernate.service.spi.ServiceException: Unable to create requested service|org.hibernate.HibernateException: Unable to determine Dialect without JDBC metadata (please set 'jakarta.persistence.jdbc.url' for common cases or 'hibernate.dialect' when a custom Dialect implementation must be provided)"},
	{"isolated", DatabaseConnection, "org.hibernate.exception.GenericJDBCException: unable to obtain isolated JDBC connection [n/a]"},
	{"grammar", TableSchemaMismatch, "org.hibernate.exception.SQLGrammarException: could not execute statement [n/a]"},

	// JDBC sinks: confluentinc/kafka-connect-jdbc #1193, #896 and DbStructure; debezium DefaultRecordWriter.
	{"debezium evolution", TableSchemaMismatch, "java.sql.SQLException: Cannot alter table orders because schema evolution is disabled"},
	{"debezium table", TableSchemaMismatch, "java.sql.SQLException: Could not find table: orders"},
	{"confluent evolve", TableSchemaMismatch, `io.confluent.connect.jdbc.sink.TableAlterOrCreateException: Table "purchase_item" is missing fields ([SinkRecordField{schema=Schema{BOOLEAN}, name='void', isPrimaryKey=false}]) and auto-evolution is disabled`},
	{"confluent create", TableSchemaMismatch, `io.confluent.connect.jdbc.sink.TableAlterOrCreateException: Table "orders" is missing and auto-creation is disabled`},
	{"confluent alter", TableSchemaMismatch, "org.apache.kafka.connect.errors.ConnectException: Cannot ALTER to add missing field SinkRecordField{schema=Schema{STRING}, name='id', isPrimaryKey=false}, as it is not optional and does not have a default value"},
	{"runbook type", TableSchemaMismatch, "java.sql.SQLException: Type mismatch for column 'age': expected INTEGER, got TEXT"},
	{"confluent key mode", ConfigError, "org.apache.kafka.connect.errors.ConnectException: PK mode for table 'orders' is RECORD_KEY, but record key schema is missing"},
	{"confluent no schema", ToleranceExceeded, "org.apache.kafka.connect.errors.ConnectException: Sink connector 's' is configured with 'delete.enabled=false' and 'pk.mode=none' and therefore requires records with a non-null Struct value and non-null Struct schema, but found record at (topic='t',partition=0,offset=0,timestamp=1) with a null value and null value schema."},

	// Registries: confluentinc/schema-registry #357, #799, #1340, #2493 and kafka-connect-elasticsearch #59.
	{"apicurio down", SchemaRegistry, "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler|io.apicurio.registry.rest.client.exception.RestClientException"},
	{"apicurio transport", SchemaRegistry, "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler|io.apicurio.rest.client.error.ApicurioRestClientException: 503"},
	{"confluent timeout", SchemaRegistry, "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler|org.apache.kafka.connect.errors.DataException: Failed to deserialize data for topic events to Avro:|org.apache.kafka.common.errors.SerializationException: Error retrieving Avro value schema for id 4|java.net.SocketTimeoutException: connect timed out"},
	{"confluent refused", SchemaRegistry, "org.apache.kafka.connect.errors.DataException: Failed to serialize Avro data: |org.apache.kafka.common.errors.SerializationException: Error serializing Avro message|java.net.ConnectException: Connection refused @ io.confluent.kafka.schemaregistry.client.rest.RestService.sendHttpRequest(RestService.java:266)"},
	{"confluent json schema", SchemaRegistry, "org.apache.kafka.common.errors.SerializationException: Error retrieving JSON schema for id 3|java.net.UnknownHostException: schema-registry @ io.confluent.kafka.schemaregistry.client.rest.RestService.sendHttpRequest(RestService.java:266)"},
	{"confluent protobuf", SchemaRegistry, "org.apache.kafka.common.errors.SerializationException: Error retrieving Protobuf schema for id 3|java.net.ConnectException: Connection refused @ io.confluent.kafka.schemaregistry.client.rest.RestService.sendHttpRequest(RestService.java:266)"},
	{"confluent unknown", SchemaRegistry, "org.apache.kafka.connect.errors.DataException: events|org.apache.kafka.common.errors.SerializationException: Error retrieving Avro schema for id 4511|io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException: Schema not found; error code: 40403"},
	{"confluent incompatible", SchemaRegistry, "org.apache.kafka.common.errors.SerializationException: Error registering Avro schema: {}|io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException: Schema being registered is incompatible with an earlier schema; error code: 409"},
	{"confluent unauthorized", Authentication, "org.apache.kafka.common.errors.SerializationException: Error retrieving Avro value schema for id 4|io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException: Unauthorized; error code: 401"},
	{"runbook id", SchemaRegistry, "org.apache.kafka.connect.errors.DataException: Failed to retrieve schema for id 42"},
	{"runbook registry", SchemaRegistry, "org.apache.kafka.connect.errors.ConnectException: Schema registry not available"},
	{"registry url", SchemaRegistry, "org.apache.kafka.connect.errors.ConnectException: Schema registry http://registry:8081 not available"},
	{"registry tls", SchemaRegistry, "javax.net.ssl.SSLHandshakeException: PKIX path building failed: unable to find valid certification path to requested target @ io.confluent.kafka.schemaregistry.client.rest.RestService.sendHttpRequest(RestService.java:266)"},

	// Records: confluentinc/schema-registry #812, kafka-connect-storage-cloud #506; kafka JsonConverter.
	{"tolerance alone", ToleranceExceeded, "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler"},
	{"magic byte", ToleranceExceeded, "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler|org.apache.kafka.connect.errors.DataException: Failed to deserialize data for topic orders to Avro:|org.apache.kafka.common.errors.SerializationException: Error deserializing Avro message for id -1|org.apache.kafka.common.errors.SerializationException: Unknown magic byte!"},
	{"json", ToleranceExceeded, "org.apache.kafka.connect.errors.DataException: Converting byte[] to Kafka Connect data failed due to serialization error: |org.apache.kafka.common.errors.SerializationException: com.fasterxml.jackson.core.JsonParseException: Unrecognized token 'abc': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')|com.fasterxml.jackson.core.JsonParseException: Unrecognized token 'abc': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"},
	{"json envelope", ToleranceExceeded, `org.apache.kafka.connect.errors.DataException: JsonConverter with schemas.enable requires "schema" and "payload" fields and may not contain additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.`},
	{"avro", ToleranceExceeded, "org.apache.kafka.connect.errors.DataException: Failed to deserialize data|org.apache.avro.AvroTypeException: Found a.B, expecting a.B, missing required field age"},
	{"apicurio record", ToleranceExceeded, "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler|java.lang.IllegalStateException: artifactId cannot be null"},
	{"schema builder", ToleranceExceeded, "org.apache.kafka.connect.errors.SchemaBuilderException: Invalid default value"},
	{"too large", ToleranceExceeded, "org.apache.kafka.connect.errors.ConnectException: Unrecoverable exception from producer send callback|org.apache.kafka.common.errors.RecordTooLargeException: The message is 1740572 bytes when serialized which is larger than 1048576, which is the value of the max.request.size configuration."},
	{"transform", ToleranceExceeded, "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler|org.apache.kafka.connect.errors.DataException: Only Struct objects supported for [field extraction], found: java.lang.String @ org.apache.kafka.connect.transforms.util.Requirements.requireStruct(Requirements.java:52)"},
	{"dlq topic", ToleranceExceeded, "org.apache.kafka.connect.errors.ConnectException: Could not find or create dead letter queue topic dlq-events"},
	{"replicas", ConfigError, "org.apache.kafka.common.errors.InvalidReplicationFactorException: Replication factor: 3 larger than available brokers: 1."},

	// Kafka's clients.
	{"kafka metadata", KafkaBroker, "org.apache.kafka.common.errors.TimeoutException: Failed to update metadata after 60000 ms."},
	{"kafka topic metadata", KafkaBroker, "org.apache.kafka.common.errors.TimeoutException: Topic orders not present in metadata after 60000 ms."},
	{"kafka expiring", KafkaBroker, "org.apache.kafka.connect.errors.ConnectException: Unrecoverable exception from producer send callback|org.apache.kafka.common.errors.TimeoutException: Expiring 12 record(s) for orders-0:120001 ms has passed since batch creation"},
	{"index blocked", DatabaseConnection, "org.elasticsearch.ElasticsearchStatusException: Elasticsearch exception [type=cluster_block_exception, reason=index [orders] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];]"},
	{"slot unreadable", SourcePositionLost, "org.postgresql.util.PSQLException: ERROR: cannot read from logical replication slot \"debezium\""},
	{"slot there", ConfigError, "io.debezium.DebeziumException: Creation of replication slot failed|org.postgresql.util.PSQLException: ERROR: replication slot \"debezium\" already exists"},
	{"debezium sql error", DatabaseConnection, "io.debezium.jdbc.JdbcConnectionException: ERROR: something"},
	{"forwarding", WorkerFailure, "org.apache.kafka.connect.runtime.rest.errors.ConnectRestException: IO error forwarding REST request: |java.util.concurrent.ExecutionException: java.net.UnknownHostException: connect-1.connect.svc|java.net.UnknownHostException: connect-1.connect.svc"},
	{"transformation without a cause", ToleranceExceeded, "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded in error handler @ org.apache.kafka.connect.runtime.TransformationChain.apply(TransformationChain.java:50)"},
	{"glue", SchemaRegistry, "software.amazon.awssdk.services.glue.model.EntityNotFoundException: Schema version is not found. (Service: Glue, Status Code: 400)"},
	{"schema by number", SchemaRegistry, "org.apache.kafka.connect.errors.DataException: orders|org.apache.kafka.common.errors.SerializationException: Error retrieving Avro schema for id 4511"},
	{"forward refused", WorkerFailure, "org.apache.kafka.connect.runtime.rest.errors.ConnectRestException: Connection refused"},
	{"kafka away", KafkaBroker, "org.apache.kafka.connect.errors.ConnectException: Connection to node -1 (kafka/10.0.0.1:9092) could not be established. Broker may not be available."},
	{"kafka address", KafkaBroker, "org.apache.kafka.common.KafkaException: Failed to construct kafka consumer|org.apache.kafka.common.config.ConfigException: No resolvable bootstrap urls given in bootstrap.servers"},
	{"kafka hung up", KafkaBroker, "org.apache.kafka.common.errors.DisconnectException: Cancelled fetchMetadata request with correlation id 12 due to node 1 being disconnected"},
	{"kafka coordinator", KafkaBroker, "org.apache.kafka.common.errors.CoordinatorNotAvailableException: The coordinator is not available."},
	{"kafka isr", KafkaBroker, "org.apache.kafka.common.errors.NotEnoughReplicasException: Messages are rejected since there are fewer in-sync replicas than required."},
	{"kafka leader", KafkaBroker, "org.apache.kafka.common.errors.NotLeaderOrFollowerException: For requests intended only for the leader, this error indicates that the broker is not the current leader."},
	{"kafka broker", KafkaBroker, "org.apache.kafka.common.errors.BrokerNotAvailableException: The broker is not available."},
	{"kafka disk", KafkaBroker, "org.apache.kafka.common.errors.KafkaStorageException: Disk error when trying to access log file on the disk."},
	{"kafka refused", KafkaBroker, "java.net.ConnectException: Connection refused @ org.apache.kafka.common.network.PlaintextTransportLayer.finishConnect(PlaintextTransportLayer.java:50)"},
	{"kafka sasl", Authentication, "org.apache.kafka.common.errors.SaslAuthenticationException: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512"},
	{"kafka acl", Authentication, "org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: [orders]"},
	{"kafka tls", Authentication, "org.apache.kafka.common.errors.SslAuthenticationException: SSL handshake failed"},
	{"kafka fenced", WorkerFailure, "org.apache.kafka.common.errors.ProducerFencedException: There is a newer producer with the same transactionalId which fences the current one."},

	// Positions: Debezium (risingwave #12313, apache/flink-cdc #271), PostgreSQL walsender, MySQL server, MongoDB server.
	{"slot gone", SourcePositionLost, `org.postgresql.util.PSQLException: ERROR: replication slot "debezium" does not exist`},
	{"wal removed", SourcePositionLost, "org.postgresql.util.PSQLException: ERROR: requested WAL segment 00000001000000040000007E has already been removed"},
	{"slot lost", SourcePositionLost, `org.postgresql.util.PSQLException: ERROR: can no longer get changes from replication slot "debezium"`},
	{"slot taken", WorkerFailure, `io.debezium.DebeziumException: Failed to start replication stream at LSN{0/1}|org.postgresql.util.PSQLException: ERROR: replication slot "debezium" is active for PID 1234`},
	{"binlog gone", SourcePositionLost, "io.debezium.DebeziumException: The connector is trying to read binlog starting at SourceInfo [currentGtid=null, currentBinlogFilename=mysql-bin.000054, currentBinlogPosition=95437458], but this is no longer available on the server. Reconfigure the connector to use a snapshot when needed."},
	{"binlog purged", SourcePositionLost, "io.debezium.DebeziumException: Could not find first log file name in binary log index file Error code: 1236; SQLSTATE: HY000."},
	{"gtids purged", SourcePositionLost, "com.github.shyiko.mysql.binlog.network.ServerException: The slave is connecting using CHANGE MASTER TO MASTER_AUTO_POSITION = 1, but the master has purged binary logs containing GTIDs that the slave requires."},
	{"history gone", SourcePositionLost, "io.debezium.DebeziumException: The db history topic is missing. You may attempt to recover it by reconfiguring the connector to SCHEMA_ONLY_RECOVERY"},
	{"history partly gone", SourcePositionLost, "io.debezium.DebeziumException: The db history topic or its content is fully or partially missing. Please check database schema history topic configuration and re-execute the snapshot."},
	{"redo gone", SourcePositionLost, "io.debezium.connector.oracle.logminer.LogFileNotFoundException: None of the log files contains offset SCN: 2345, re-snapshot is required."},
	{"oplog", SourcePositionLost, "com.mongodb.MongoCommandException: Command failed with error 286 (ChangeStreamHistoryLost): 'Executor error during getMore :: caused by :: Resume of change stream was not possible, as the resume point may no longer be in the oplog.' on server mongo:27017"},
	{"kafka offset", SourcePositionLost, "org.apache.kafka.clients.consumer.OffsetOutOfRangeException: Fetch position FetchPosition{offset=42} is out of range for partition orders-0"},
	{"kafka no offset", SourcePositionLost, "org.apache.kafka.clients.consumer.NoOffsetForPartitionException: Undefined offset with no reset policy for partitions: [orders-0]"},

	// Workers: the JVM; confluentinc/kafka-connect-jdbc #1068, #329; Connect's DistributedHerder.
	{"heap", WorkerFailure, "java.lang.OutOfMemoryError: Java heap space"},
	{"stack", WorkerFailure, "java.lang.StackOverflowError"},
	{"no class def", WorkerFailure, "java.lang.NoClassDefFoundError: io/debezium/util/IoUtil|java.lang.ClassNotFoundException: io.debezium.util.IoUtil"},
	{"no method", WorkerFailure, "java.lang.NoSuchMethodError: 'void com.google.common.base.Preconditions.checkArgument(boolean, java.lang.String, char)'"},
	{"service loader", WorkerFailure, "java.util.ServiceConfigurationError: com.fasterxml.jackson.databind.Module: com.fasterxml.jackson.module.blackbird.BlackbirdModule not a subtype"},
	{"no plugin", WorkerFailure, "org.apache.kafka.connect.errors.ConnectException: Failed to find any class that implements Connector and which name matches io.confluent.connect.jdbc.JdbcSourceConnector, available connectors are: PluginDesc{}"},
	{"no driver", WorkerFailure, "java.sql.SQLException: No suitable driver found for jdbc:mysql://db:3306/shop"},
	{"worker disk", WorkerFailure, "java.io.IOException: No space left on device"},
	{"handles", WorkerFailure, "java.net.SocketException: Too many open files"},
	{"commit", WorkerFailure, "org.apache.kafka.clients.consumer.CommitFailedException: Offset commit cannot be completed since the consumer is not part of an active group for auto partition assignment"},
	{"rebalance", WorkerFailure, "org.apache.kafka.connect.runtime.distributed.RebalanceNeededException: Request cannot be completed because a rebalance is expected"},
	{"forward", WorkerFailure, "org.apache.kafka.connect.runtime.rest.errors.ConnectRestException: IO Error trying to forward REST request: java.net.ConnectException: Connection refused"},

	// Configuration: Connect's AbstractHerder, Debezium, kafka ConfigDef.
	{"config exception", ConfigError, "org.apache.kafka.common.config.ConfigException: Topic orders is not in the configured list"},
	{"config invalid", ConfigError, "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: Connector configuration is invalid and contains the following 1 error(s):"},
	{"debezium configuring", ConfigError, "org.apache.kafka.connect.errors.ConnectException: Error configuring an instance of JdbcSinkConnectorConfig; check the logs for details"},
	{"config value", ConfigError, "org.apache.kafka.common.config.ConfigException: Invalid value x for configuration tasks.max: Not a number of type INT"},
	{"no type", ConfigError, "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: Connector config {auto.evolve=true, name=s} contains no connector type"},
	{"missing option", ConfigError, `org.apache.kafka.common.config.ConfigException: Missing required configuration "connection.url" which has no default value.`},
	{"secret file", ConfigError, "org.apache.kafka.common.config.ConfigException: Could not read file /secrets/postgres @ org.apache.kafka.common.config.provider.FileConfigProvider.get(FileConfigProvider.java:60)"},
	{"publication", ConfigError, `org.postgresql.util.PSQLException: ERROR: publication "dbz_publication" does not exist`},
	{"wal level", ConfigError, `io.debezium.DebeziumException: Postgres server wal_level property must be "logical" but is: "replica"`},

	// Any peer.
	{"plain refused", DatabaseConnection, "java.net.ConnectException: Connection refused"},
	{"runbook refused", DatabaseConnection, "java.sql.SQLException: Connection refused"},
	{"reset by database", DatabaseConnection, "java.sql.SQLException: I/O|java.net.SocketException: Connection reset"},
	{"reset by somebody", DatabaseConnection, "java.net.SocketException: Connection reset"},
	{"no route", DatabaseConnection, "java.net.NoRouteToHostException: No route to host"},
	{"timeout of somebody", DatabaseConnection, "java.net.SocketTimeoutException: Read timed out"},
})

type sample struct {
	name  string
	slug  Slug
	trace string
}

// expand spells samples out as traces.
func expand(list []sample) []sample {
	for i, s := range list {
		var b strings.Builder
		for j, link := range strings.Split(s.trace, "|") {
			if j > 0 {
				b.WriteString("Caused by: ")
			}
			header, frame, _ := strings.Cut(link, " @ ")
			b.WriteString(header + "\n")
			if frame != "" {
				b.WriteString("\tat " + frame + "\n")
			}
		}
		list[i].trace = b.String()
	}
	return list
}

func TestSamples(t *testing.T) {
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			d := Diagnose(evidence(nil, failing(s.trace)))
			if got := d.Top(); got.Slug != s.slug || got.Confidence < 0.3 {
				t.Errorf("%s\ngot %s with %.2f, want %s", s.trace, got.Slug, got.Confidence, s.slug)
				report(t, d)
			}
			if strings.Contains(d.Headline, "{") && strings.Contains(d.Headline, "}") && !strings.Contains(s.trace, "{") {
				t.Errorf("headline has an open blank: %q", d.Headline)
			}
		})
	}
}

// TestEveryRuleHasASample also catches a pattern that cannot match because it is not folded.
func TestEveryRuleHasASample(t *testing.T) {
	used := make([]bool, len(rules))
	for _, s := range samples {
		c := ParseTrace(s.trace)
		sys := whence(c.Links, origin{}).system
		for _, l := range c.Links {
			f := foldLink(l)
			for i, r := range rules {
				used[i] = used[i] || r.fits(f, sys)
			}
		}
	}
	for i, r := range rules {
		if !used[i] {
			t.Errorf("no sample for the rule class %q, message %q, frame %q, system %q → %s", r.class, r.message, r.frame, r.system, r.slug)
		}
		if folded := strings.ToLower(r.class + r.message + r.frame); folded != r.class+r.message+r.frame {
			t.Errorf("rule %q %q is not folded", r.class, r.message)
		}
		if r.weight <= 0 || r.weight > certain || !r.against && r.said == "" {
			t.Errorf("rule %q %q: weight %v, said %q", r.class, r.message, r.weight, r.said)
		}
	}
}
