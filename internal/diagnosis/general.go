package diagnosis

import "slices"

// group is several patterns that argue alike. They are words that any program uses for a kind of failure, for connectors
// that no row of rules knows: worth less than a row that knows the program, and more than nothing.
type group struct {
	slug     Slug
	weight   float64
	retry    retry
	system   system
	against  Slug // argued against at the same time, as strongly; "" for none
	said     string
	messages []string
	classes  []string
}

// general are the rows of groups.
var general = spread(groups)

// known are the rows that know the program that speaks.
var known = slices.Concat(rules, spread(published))

// spread makes rows of groups.
func spread(groups []group) []rule {
	var list []rule
	for _, g := range groups {
		add := func(r rule) {
			r.slug, r.weight, r.retry, r.system, r.said = g.slug, g.weight, g.retry, g.system, g.said
			list = append(list, r)
			if g.against != "" {
				r.slug, r.against, r.said = g.against, true, ""
				list = append(list, r)
			}
		}
		for _, m := range g.messages {
			add(rule{message: m})
		}
		for _, c := range g.classes {
			add(rule{class: c})
		}
	}
	return list
}

const what = "{message}" // the message itself says it best

// groups, by what they argue for.
var groups = []group{
	// Who does not let one in. What a server answers about a login is worth more than that a connection failed because of it.
	{slug: Authentication, weight: .85, against: DatabaseConnection, said: what, messages: []string{
		"invalid_login", "user locked out", "security token; or", "auth fail", "auth cancel",
		"topic_authorization_failed", "group_authorization_failed",
		"do not have the * privilege", "authentication was not valid", "username and password are correct", "does not have * permission",
		"command denied to user", "denied to user", "ora-28000", "ora-28001", "status 401", "status 403", "returned 401", "returned 403", "permission to perform", "invalid_grant", "invalid client secret", "unauthenticated", "sqlstate=28", "18456", "has no permission",
		"not enough privileges", "necessary to have the grant", "noauth", "wrongpass", "invalid username-password", "noperm", "error getting access token", "get oauth2 access token", "authenticator is not accepted", "reading service account credential", "cannot find the metadata server", "right credentials", "correct permissions", "does not have the right", "missing permission", "authorization required", "user is disabled", "unknown user", "role * does not exist", "user * does not exist", "no such user", "invalid signature", "cannot login", "failed login", "not permitted to", "not allowed to", "denied by", "signature we calculated",
		"pg_hba.conf", "password authentication failed", "authentication failed", "authentication failure", "failed to authenticate", "could not authenticate", "unable to authenticate", "not authenticated", "authentication error", "error authenticating",
		"access denied", "accessdenied", "access is denied", "permission denied", "permission_denied", "insufficient privilege", "insufficient permission", "insufficient access", "does not have the * permission", "does not have permission",
		"does not have * privilege", "must be superuser", "must be owner", "not authorized", "not_authorized", "unauthorized", "authorization failed", "authorizationexception",
		"invalid credential", "bad credential", "check the provided credentials", "incorrect username or password", "invalid username or password", "invalid username/password", "wrong password", "password was incorrect", "password is incorrect", "password expired", "password has expired",
		"invalid_grant", "invalid_client", "invalid api key", "invalid token", "token expired", "token is expired", "token has expired", "expiredtoken", "invalidaccesskeyid", "signaturedoesnotmatch", "security token included in",
		"unable to load credentials", "unable to load aws credentials", "could not load credentials", "credentials were not found", "the aws access key id", "login failed", "logon denied", "login denied", "account is locked", "user is not allowed",
		"http 401", "status code 401", "status: 401", "code 401", "code: 401", "error 401", "401 unauthorized", "http 403", "status code 403", "status code: 403", "status: 403", "code 403", "code: 403", "403 forbidden", "forbidden",
		"sqlstate 28", "28p01", "42501", "jwt token is invalid", "access token * expired", "no credentials", "sasl authentication", "jaas", "kerberos", "gss initiate failed", "ora-01031", "ora-01045", "requires authentication", "request had insufficient authentication scopes",
	}, classes: []string{"illegalsaslstateexception", "saslauthenticationexception", "sslauthenticationexception", "*authenticationfailureexception", "googleauthexception", "*authexception", "accessdenied*exception", "authenticationexception", "unauthorizedexception", "forbiddenexception", "authorizationexception", "invalidcredentials*exception", "badcredentials*exception", "loginexception", "accesscontrolexception", "unrecoverablekeyexception"}},
	{slug: Authentication, weight: .75, against: DatabaseConnection, said: "no TLS with the other side: {message}", messages: []string{
		"certificate for", "certificate is not", "path validation failed", "certificate verify failed", "certificate chain", "certificate signed by unknown",
		"trust store", "truststore", "keystore", "key store", "ssl root certificate", "no cipher suites", "protocol_version", "handshake_failure", "ssl handshake", "tls handshake", "hostname verification", "peer not authenticated",
		"pkix path building failed", "unable to find valid certification path", "certificate_unknown", "bad_certificate", "certificate expired", "certificate has expired", "received fatal alert", "ssl handshake failed", "no subject alternative",
		"keystore was tampered with", "trust anchor",
	}, classes: []string{"certificateexpiredexception", "certificatenotyetvalidexception", "sslpeerunverifiedexception", "sslhandshakeexception", "certificateexception", "keystoreexception", "certpath*exception", "suncertpathbuilderexception"}},

	// What cannot be reached, or answers that it is in trouble itself.
	{slug: DatabaseConnection, weight: .75, said: what, messages: []string{
		"blocked because of many connection errors", "can't get the location", "socket is not established", "attempt to connect to",
		"connection to the server probably lost",
		"ioerror when", "i/o error", "shutdown is in progress", "timeout connecting to",
		"unexpected end of file from server", "con.refused", "reset by peer", "connection reset",
		"ended unexpectedly", "connection is closing", "client connection is closing", "stream was closed", "unexpected end of stream", "end of stream", "unavailable: ", "429 too many", "status code 429", "is overloaded", "is busy", "snapshot isolation transaction aborted", "chosen as the deadlock victim", "1205",
		"could not get connection", "get connection to", "create connection after", "connections could not be acquired", "acquire connection", "checkout a connection", "connection to * is not active", "connection is not active", "connection to * refused", "not able to connect", "timeout while writing", "timed out while waiting", "did not complete before the specified timeout", "flush timeout expired", "timeout expired before buffer", "make space in the internal buffer fast enough", "unflushed records", "back pressure", "backpressure", "exceeded configured * attempts", "exceeded * retries", "retries exhausted", "after * retries", "readonly mode", "readonly you can't write", "read only replica", "running with the --read-only option", "misconf redis", "loading redis", "loading the dataset in memory", "oom command not allowed", "cache-max-memory-size", "out of memory and cannot service", "no node was available", "replica_path", "is_read_only", "too many simultaneous queries", "memory_limit_exceeded", "consistency level", "failure during read query", "failure during write query", "timeout during read query", "timeout during * write query", "cannot achieve consistency", "try again later", "please retry", "branch main has changed", "concurrent update", "optimistic lock", "write conflict", "transaction was aborted", "transaction aborted", "resource temporarily", "resources exceeded", "insufficient resources",
		"could not establish the connection", "could not create connection", "could not create * connection", "could not open connection", "cannot open connection", "connection attempt failed",
		"unable to connect", "could not connect", "failed to connect", "cannot connect", "can't connect", "couldn't connect", "connection failed", "failed to establish", "cannot get a connection", "failed to obtain jdbc connection",
		"connect timed out", "connection timed out", "connection timeout", "connect timeout", "read timed out", "read timeout", "write timed out", "socket timeout", "timed out waiting for", "timed out after", "query timed out", "request timed out", "request timeout", "operation timed out", "login timeout", "lock request time out",
		"connection is closed", "connection was closed", "connection has been closed", "connection closed", "closed connection", "connection was killed", "connection lost", "lost connection", "connection is not available", "connection aborted", "socket closed", "socket is closed", "broken pipe", "no operations allowed after",
		"last packet sent successfully", "last packet successfully received", "server has gone away", "no route to host", "host is unreachable", "host unreachable", "network is unreachable", "unknownhostexception", "name or service not known", "nodename nor servname", "temporary failure in name resolution", "failed to resolve",
		"too many connections", "connection pool", "max_connections", "connection limit", "terminating connection", "57p01", "57p02", "57p03", "sqlstate 08", "administrator command", "system is starting up", "shutting down", "not currently accepting connections", "is not accepting connections", "recovery mode", "in recovery",
		"deadlock", "lock wait timeout", "could not serialize access", "could not obtain lock", "snapshot too old", "ora-01555", "ora-03113", "ora-03114", "ora-03135", "ora-12170", "ora-12505", "ora-12519", "ora-12520", "ora-12537", "ora-12547", "ora-17002", "ora-17008", "ora-00060", "tns:",
		"service unavailable", "temporarily unavailable", "currently unavailable", "server is busy", "bad gateway", "gateway timeout", "internal server error", "status code 500", "status code: 500", "status code 502", "status code 503", "status code: 503", "status code 504", "http 500", "http 502", "http 503", "http 504", "code: 503", "code 503",
		"too many requests", "rate limit", "rate exceeded", "throttl", "quota exceeded", "slow down", "slowdown", "request rate", "es_rejected_execution", "rejected execution", "circuit_breaking", "cluster_block_exception", "read-only-allow-delete", "index read-only", "flood-stage watermark", "no living connections", "all shards failed", "no nodes available",
		"server selection", "no server chosen", "not master", "notwritableprimary", "no primary", "not enough replicas available", "no hosts available", "unreachable", "not responding",
		"disk is full", "disk full", "is read-only", "is read only", "read-only transaction", "memory limit", "too many parts", "warehouse * suspended", "warehouse * cannot be resumed",
	}, classes: []string{"*statusruntimeexception", "*nodeavailableexception", "apicalltimeoutexception", "*timeoutexception", "serveroutofmemoryexception", "*unavailableexception", "*hecexception", "sqlrecoverableexception", "sqltransientexception", "communicationsexception", "connecttimeoutexception", "httphostconnectexception", "nohttpresponseexception", "connectionclosedexception", "mongosocket*exception", "mongonotprimary*exception", "mongonodeisrecovering*exception",
		"readtimeoutexception", "writetimeoutexception", "operationtimedoutexception", "drivertimeoutexception", "overloadedexception", "closedconnectionexception", "closedchannelexception", "serviceunavailableexception", "sdkclientexception", "toomanyrequestsexception"}},

	// What the other side's table or index does not take.
	{slug: TableSchemaMismatch, weight: .8, said: what, messages: []string{
		"specified for partitioning",
		"extra columns", "columns not present in the table", "cannot be converted to the internal format",
		"schema * does not exist", "cannot create field", "table has no schema", "primary key column * is not set", "implicit conversion from data type", "ora-01461", "can bind a long value",
		"cannot have null schema", "in upsert mode requires key", "key field names to be known", "illegal schema change",
		"data row is smaller than a column index", "out of sync with real database schema", "internal schema representation", "no primary key", "without a primary key", "missing primary key", "primary key columns", "primary key is required", "there is no unique", "numeric field overflow", "arithmetic overflow error",
		"cannot create table * because schema evolution", "failed to find column", "write to table * with no key fields", "no key fields defined", "no fields found using key and value schemas", "does not contain field", "doesn't have a mapping to the sql", "need exactly one pk column", "new field found with the name", "has mode required", "unionize schemas", "update table schema", "failed to append columns", "into not nullable column", "not nullable", "data schema validation failed", "table does not exist", "table is missing", "no tables found", "no such table", "table * missing", "wrongtype operation", "wrong kind of value", "field type conflict", "cannot be changed from type", "document failed validation", "failed validation", "schema contains cycle", "has no column", "unknown identifier", "not_found_column", "no_such_column", "number of columns", "type_mismatch", "cannot_parse * column", "doesn't match the schema", "does not match the schema", "schema validation", "cannot add column", "cannot drop column", "cannot alter", "add field * failed", "invalid object", "missing in the target table", "no column",
		"column * does not exist", "column * not found", "no such column", "unknown column", "invalid column", "missing column", "unrecognized field", "no such field", "unknown field", "field * not found in * schema", "column count doesn't match", "column * cannot be null", "cannot be null", "not-null constraint", "null value in column", "null constraint", "cannot insert the value null", "non-nullable",
		"table * doesn't exist", "table * does not exist", "table * not found", "no such table", "table not found", "relation * does not exist", "object * does not exist", "invalid object name", "unknown table", "missing table", "does not exist and auto-creation", "table is missing", "missing from the table", "index_not_found", "no such index", "collection * does not exist", "keyspace * does not exist", "unconfigured",
		"data truncation", "data truncated", "would be truncated", "too long for column", "value too large for column", "value too long", "ora-12899", "ora-01400", "ora-00904", "ora-00942", "ora-01438", "ora-00932", "out of range value", "out of range for", "numeric value * out of range", "arithmetic overflow",
		"mapper_parsing", "mapper parsing", "document_parsing", "failed to parse field", "strict_dynamic_mapping", "strict dynamic mapping", "limit of total fields", "different type", "type mismatch", "mismatched type", "incompatible type", "incompatible schema", "cannot be cast to type", "is of type", "but expression is", "datatype mismatch", "data type mismatch", "cannot convert from", "no encoding from", "codec not found",
		"schema mismatch", "schemas do not match", "schema does not match", "schema has changed", "schema is not compatible", "provided schema does not match", "no such field:", "alter is not supported", "type is not supported by * dialect", "does not have a schema mapping", "undefined column", "42703", "42p01", "42804", "22001",
		"row value * too large", "row size too large", "unable to map type", "no mapping for type", "unsupported source data type", "field was not found in the table",
	}, classes: []string{"nosuchtableexception", "*fieldtypeconflictexception", "tablenotfoundexception", "sqlsyntaxerrorexception", "badsqlgrammarexception", "datatruncation", "mysqldatatruncation", "invalidqueryexception", "codecnotfoundexception", "invalidtypeexception"}},

	// What is wrong with the record itself.
	{slug: ToleranceExceeded, weight: .75, said: what, messages: []string{
		"bsonobjecttoolarge", "bsonobj size", "null property value for", "status code 422", "status code : 422", "unprocessable entity",
		"not_x_content_exception", "compressor detection",
		"is not a supported type", "are supported. java",
		"couldn't be parsed", "no viable alternative at input", "ddl statement couldn't", "mismatched input", "crc check", "tombstone records", "unexpected tombstone", "violates foreign key", "violates check",
		"when fetching the next record", "seek past the record", "unexpected * value", "value schema must be of type", "key schema must be of type", "must be of type struct", "null valued records", "records are not writeable", "convertible to a map", "keys must be non-null", "record keys must be", "value must be", "value too large to be stored", "points beyond retention policy", "record * is null", "cannot serialize", "serialization error", "unable to serialize", "cannot deserialize", "field * is null", "missing field", "primary key column * cannot be mapped to null", "invalid payload", "not a json", "expected a json", "invalid message", "illegal character ((ctrl", "unrecognized value", "record batch", "offset * of topic",
		"deserializ", "unknown magic byte", "malformed", "unexpected character", "unrecognized token", "unexpected end-of-input", "unterminated", "invalid json", "not valid json", "failed to parse", "could not parse", "cannot parse", "unable to parse", "unparseable", "error parsing", "for input string", "text '* could not be parsed", "invalid utf",
		"converting byte[]", "failed to convert", "cannot convert", "could not convert", "unable to convert", "conversion error", "error converting", "converter failed", "cannot be cast to class", "classcastexception", "invalid java object for schema", "invalid type for", "mismatching schema", "conflicting with schema", "no schema supplied", "schema required", "schemaless", "requires a schema", "without a schema", "null value for", "value is null", "key is null", "key must not be null", "null key", "key is used as document id and can not be null",
		"missing required field", "required field", "invalid value: null used for required", "only struct objects supported", "only map objects supported", "requires struct", "non-null struct", "with schema is not a struct", "delete is not supported", "unexpected record", "bad record", "invalid record", "corrupt record", "corrupt message", "message is too large", "message too large", "request is larger", "payload too large", "larger than the maximum request size", "record is too large", "document is too large", "exceeds maximum size", "object to insert too large", "entity too large",
		"dead letter queue", "duplicate key", "unique constraint", "foreign key constraint", "constraint violation", "integrity constraint", "violates check constraint", "ora-00001", "illegal_argument_exception", "invalid_index_name", "invalid timestamp", "invalid date", "date/time field value out of range", "bad value", "invalid enum", "field does not exist", "unsupported record",
	}, classes: []string{"bsoninvalidoperationexception", "java.lang.classcastexception", "parsingexception", "*valuetoolargeexception", "conversionconnectexception", "*bulkwriteexception", "serializationexception", "deserializationexception", "dataexception", "jsonparseexception", "jsonmappingexception", "mismatchedinputexception", "invaliddefinitionexception", "avrotypeexception", "avroruntimeexception", "schemaparseexception", "schemaprojectorexception", "recordtoolargeexception", "invalidrecordexception", "corruptrecordexception",
		"numberformatexception", "datetimeparseexception", "parseexception", "csvmalformedlineexception", "malformedinputexception", "invalidprotocolbufferexception", "jsonsyntaxexception", "sqlintegrityconstraintviolationexception", "dataintegrityviolationexception"}},

	// Schema registries.
	{slug: SchemaRegistry, weight: .85, said: what, messages: []string{
		"schema version is not found",
		"could not retrieve schema", "failed to retrieve schema",
		"network connection error while serializing", "network connection error while deserializing", "error serializing avro message", "error serializing json", "error serializing protobuf",
		"schema registry", "schemaregistry", "subject not found", "subject * not found", "schema not found; error code", "schema being registered is incompatible", "incompatible with an earlier schema", "register operation timed out", "error retrieving", "error registering", "failed to register schema", "glue schema", "no schema with id", "artifact with id", "leader not known",
	}, classes: []string{"io.confluent.kafka.schemaregistry.*", "*schemaregistryexception", "awsschemaregistryexception", "artifactnotfoundexception"}},

	{slug: SchemaRegistry, weight: .95, against: DatabaseConnection, retry: helps, said: what, messages: []string{
		"failed to send http request to endpoint", "schemaregistry.client.rest.restservice",
	}},

	{slug: SchemaRegistry, weight: .85, system: registry, said: what, messages: []string{
		"error code: 409", "error code: 40401", "error code: 40403", "error code: 42201", "error code: 500", "error code: 50001", "error code: 50002",
	}},

	// Kafka itself.
	{slug: KafkaBroker, weight: .8, said: what, messages: []string{
		"broker may not be available", "bootstrap broker * disconnected", "could not be established", "failed to get offsets", "failed to update metadata", "timed out waiting for a node assignment", "timeout expired while", "timeout of * expired before", "unable to fetch consumer group", "timeout while loading consumer groups", "error while fetching metadata", "not present in metadata", "expiring * record", "has passed since batch creation", "failed to send request after", "leader_not_available", "not_leader", "no leader", "leader not available",
		"not enough in-sync replicas", "not enough replicas", "unknown_topic_or_partition", "this server does not host this topic-partition", "topic * does not exist", "unknown topic", "could not find topic", "topic creation failed", "creation of * topic failed", "error while attempting to create/find topic", "failed to create * topic", "unable to create topic", "coordinator is not available", "coordinator_not_available", "coordinator not available", "group coordinator", "call(callname=", "error querying offsets for consumer group", "error querying for consumer group",
		"unable to manage topics", "failed to connect to and describe kafka cluster", "producer attempted", "older epoch", "transaction timeout", "producer send callback", "failed to send record", "failed to flush",
	}, classes: []string{"timeoutexception", "notenoughreplicas*exception", "leadernotavailableexception", "unknowntopicorpartitionexception", "invalidtopicexception", "kafka.*disconnectexception", "networkexception", "retriablecommitfailedexception", "unknownserverexception", "topicexistsexception", "invalidreplicationfactorexception", "unsupportedversionexception"}, system: kafka},
	{slug: KafkaBroker, weight: .7, said: what, messages: []string{
		"brokers at", "not leader error", "request to broker", "not_enough_replicas", "got error produce response", "failed to create new topic", "cannot retrieve members for consumer group", "fetching topic metadata", "fetch topic metadata", "describe topics", "no brokers", "broker * down",
		"bootstrap broker * disconnected", "timed out waiting for a node assignment", "timeout of * expired before", "timeout while loading consumer groups", "creation of * topic failed", "failed to connect to and describe kafka cluster", "error querying offsets for consumer group", "error querying for consumer group", "failed to send record", "unable to manage topics", "error while attempting to create/find topic", "kafka cluster", "topic * does not exist", "unknown_topic_or_partition", "leader_not_available", "not enough in-sync replicas",
	}},

	// Where a source had come to.
	{slug: SourcePositionLost, weight: .9, said: what, messages: []string{
		"invalid checkpoint", "or take snapshot",
		"cdc_raw/commitlog", "replayid * was invalid", "already gced intents", "did not come from this stream", "invalid startingsequencenumber",
		"binlog truncated in the middle of event",
		"resumetoken not found", "resume token was not found", "ora-01291", "ora-01292", "is expired for tablet", "stream id * is expired", "fn_cdc_get_all_changes", "fn_cdc_get_net_changes", "exceeded the maximum reserved size", "no longer in the archive", "expired snapshot", "cannot find the binlog", "trim horizon", "sequence number * expired", "iterator expired",
		"no longer available", "purged", "already been removed", "does not contain the offset", "do not contain the offset", "offset scn", "perform a new snapshot", "take a new snapshot", "new snapshot", "re-snapshot", "snapshot is required", "needs to be recreated", "resume token", "resume point", "resume of change stream", "changestreamhistorylost", "change stream history", "oplog", "history topic is missing", "history topic or its content", "history topic is empty", "missing history",
		"schema isn't known to this connector", "whose schema isn't known", "could not find first log", "client requested master to start replication from", "invalidated", "slot * lost", "replication slot * does not exist", "wal segment", "missing log file", "archive logs", "offset is out of range", "out of range with no configured reset policy", "offset_out_of_range", "fetch position * is out of range", "undefined offset with no reset policy", "invalid offset", "position is invalid", "retention period", "cdc log * gone",
		"scn * is not available", "earliest available", "expired position", "binlog * not found", "starting point * not available",
	}, classes: []string{"offsetoutofrangeexception", "nooffsetforpartitionexception"}},

	// Configuration: of the connector, or of what it reads from.
	{slug: ConfigError, weight: .8, against: DatabaseConnection, retry: futile, said: what, messages: []string{
		"not_found: resource not found", "resource not found (resource",
	}},

	{slug: ConfigError, weight: .7, retry: futile, said: what, messages: []string{
		"incrementing column", "must configure",
		"no table filters found", "cannot make incremental queries",
		"can't find the kcql", "kcql",
		"statement or mixed based replication format", "invalid metric name", "is not a valid field name", "no filesystem for scheme", "not a subclass of", "is not an instance of", "could not be found in the", "unknown property", "unrecognized property", "invalid regex", "invalid pattern", "endpoint is", "invalid endpoint", "publication * does not exist", "does not support", "replication factor: ",
		"cannot define both", "please specify only one", "only one of", "deletes are only supported for", "destination table name", "blocked connection parameter", "doesn't match assigned partitions", "doesn't support topic mutating", "is not mapped to", "non-existent", "bucket is in this region", "containernotfound", "invalid snowflake url", "did not enable", "but did not", "must specify", "due to configuration error", "invalid durability", "durability guarantees are impossible", "must not set", "you must set", "you must not", "region is not defined", "is configured but", "should be set", "should not be", "should be one of", "needs to be set", "need to set", "either * or * must", "at least one", "both * and *", "wrong value", "bad configuration", "improperly configured", "invalid url", "url is",
		"invalid configuration", "configuration is invalid", "invalid config", "misconfigur", "is not configured", "not configured", "must be configured", "must be set", "must be specified", "must be provided", "must be defined", "must be enabled", "must be one of", "must be greater", "must be a", "is required", "are required", "is not supported", "are not supported", "not supported", "unsupported", "unknown configuration", "unrecognized option", "invalid option", "invalid value", "illegal value", "not a valid", "is not valid", "no such property", "missing required", "missing configuration", "required configuration", "has no default value", "mutually exclusive", "cannot be empty", "can't be empty", "cannot be null or empty",
		"no enum constant", "make sure your server is correctly configured", "please enable", "please configure", "please set", "is not enabled", "is disabled", "not enabled", "requires gtid_mode", "gtid_mode", "binlog_format", "binlog_row_image", "wal_level", "supplemental logging", "archivelog", "only supported on replica sets", "server_uuid/server_id", "same server_uuid", "logical decoding", "decoderbufs", "output plugin", "cdc is not enabled", "change tracking", "no maximum lsn", "all replication slots are in use", "max_wal_senders", "max_replication_slots",
		"vault path", "was not found", "no such file or directory", "file not found", "unable to read file", "invalid url", "malformed url", "illegal character in", "expected scheme", "unknown protocol", "no database", "unknown database", "database * does not exist", "bucket does not exist", "nosuchbucket", "resource not found", "could not resolve placeholder",
	}, classes: []string{"*configurationexception", "optionsvalidationexception", "configexception", "illegalargumentexception", "unsupportedoperationexception", "invalidconfigurationexception", "urisyntaxexception", "malformedurlexception", "patternsyntaxexception", "filenotfoundexception", "nosuchfileexception", "nosuchbucketexception", "notfoundexception"}},

	// The worker and what is on it.
	{slug: WorkerFailure, weight: .9, retry: futile, said: what, messages: []string{
		"class could not be found", "unable to find class", "cannot find class", "could not load * class", "invalid signature file digest", "(ljava/", "(lorg/", "(lcom/", "could not find class",
		"sigsegv", "hs_err_pid", "no core dump will be written", "fatal error has been detected by the java runtime",
		"could not be loaded", "previously closed",
		"could not find class * specified in", "unable to load class", "failed to load driver class", "could not load driver", "driver class not found", "no appropriate driver",
		"outofmemoryerror", "java heap space", "gc overhead", "metaspace", "direct buffer memory", "unable to create new native thread", "unable to create native thread", "oomkilled", "noclassdeffounderror", "classnotfoundexception", "nosuchmethoderror", "no suitable driver", "unsupportedclassversionerror", "class file version", "failed to find any class that implements", "linkageerror", "incompatibleclasschange", "nosuchfielderror", "abstractmethoderror", "illegalaccesserror", "verifyerror", "loader constraint", "could not initialize class", "unsatisfiedlinkerror", "provider * not a subtype",
	}, classes: []string{"classloadingexception", "nosuchbeandefinitionexception", "java.lang.outofmemoryerror", "java.lang.*linkage*error", "java.lang.nosuch*error", "java.lang.abstractmethoderror", "java.lang.incompatibleclasschangeerror", "java.lang.illegalaccesserror", "java.lang.unsatisfiedlinkerror", "java.lang.exceptionininitializererror", "java.lang.unsupportedclassversionerror", "java.lang.verifyerror", "java.lang.noclassdeffounderror", "java.lang.classnotfoundexception", "java.lang.bootstrapmethoderror"}},
	{slug: WorkerFailure, weight: .75, retry: helps, said: what, messages: []string{
		"failed to bind to", "address already in use", "unable to initialize rest server",
		"unexpectedly terminated", "terminated, pool size",
		"rebalance", "max.poll.interval", "poll timeout has expired", "not a valid member", "commit cannot be completed", "fenced", "is active for pid", "already running", "graceful shutdown", "graceful stop", "failed to stop", "interrupted", "task already exists", "failed to start task", "forward rest request", "request to leader", "stale configuration", "too many open files", "no space left on device", "worker * unhealthy", "worker configuration topic",
	}, classes: []string{"rejectedexecutionexception", "notrunningexception", "illegalmonitorstateexception", "commitfailedexception", "rebalanceinprogressexception", "rebalanceneededexception", "fencedinstanceidexception", "illegalgenerationexception", "unknownmemberidexception", "producerfencedexception", "wakeupexception", "interruptedexception", "connectrestexception"}},
}
