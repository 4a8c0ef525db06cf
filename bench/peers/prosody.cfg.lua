-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Prosody 0.12 as a peer in the benchmark. The harness replaces the words between at signs.
-- The modules are those that Debian enables, plus the archive ("mam"); left out are what is not
-- compared (servers, rate limits, invitations, administration).

run_as_root = true
pidfile = "@DIR@/prosody.pid"
data_path = "@DIR@/data"
certificates = "@DIR@/certs"
log = { warn = "@DIR@/prosody.log" }
plugin_paths = {}

interfaces = { "127.0.0.1" }
local_interfaces = { "127.0.0.1" }
c2s_ports = { @PORT@ }
c2s_direct_tls_ports = { @TLSPORT@ }
@S2S@
network_backend = "epoll"

-- "Tuned" is two documented options: the generational collector, and no Nagle delays.
network_settings = { tcp_backlog = 4096; read_timeout = 3600; nagle = @NAGLE@ }
gc = { mode = "@GC@" }

modules_enabled = {
	"roster"; "saslauth"; "tls"; "disco"; "posix";
	"blocklist"; "bookmarks"; "carbons"; "csi_simple"; "offline"; "pep"; "ping"; "private";
	"register"; "smacks"; "time"; "uptime"; "vcard4"; "vcard_legacy"; "version";
	"mam";
}

authentication = "internal_hashed"
allow_registration = false
c2s_require_encryption = true
ssl = { key = "@DIR@/certs/server.key"; certificate = "@DIR@/certs/server.crt"@TRUST@ }

-- Everything in files as shipped, except archives, which go to SQLite as the project advises.
default_storage = "internal"
storage = { archive = "sql"; muc_log = "sql" }
sql = { driver = "SQLite3"; database = "@DIR@/data/archive.sqlite" }
default_archive_policy = true
archive_expires_after = "never"
max_archive_query_results = 100

VirtualHost "@DOMAIN@"

Component "conference.@DOMAIN@" "muc"
	modules_enabled = { "muc_mam" }
