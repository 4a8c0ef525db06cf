/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The server's certificate. A self-signed pair is named by its domain, so that another domain gets another one; the key is written
 * and synced before the certificate, and both come to their names by rename: a pair is whole or absent. */
#include "app/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/cert.h"
#include "store/lock.h"

enum { PATH_BYTES = 4096 };

static int write_all(int fd, struct str text)
{
	while (text.n) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			text = (struct str){ text.p + n, text.n - (size_t)n };
	}
	return fsync(fd) ? -errno : 0;
}

static int write_file(const char *path, struct str text)
{
	char tmp[PATH_BYTES + 8];
	int fd, err;

	snprintf(tmp, sizeof(tmp), "%s.new", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text);
	close(fd);
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		unlink(tmp);
	return err;
}

static int make_pair(const char *dir, struct str domain, const char *cert, const char *key, char *err, size_t err_n)
{
	struct arena a = { 0 };
	struct str cert_pem, key_pem;
	int status;

	arena_init(&a);
	status = cert_self_signed(&a, domain, &cert_pem, &key_pem);
	if (status == -EINVAL)
		snprintf(err, err_n, "%.*s cannot be the domain of a certificate; choose another server.domain", STR_ARG(domain));
	else if (status)
		snprintf(err, err_n, "cannot make a certificate for %.*s", STR_ARG(domain));
	if (!status) {
		status = mkdir(dir, 0700) && errno != EEXIST ? -errno : 0;
		if (!status)
			status = write_file(key, key_pem);
		if (!status)
			status = write_file(cert, cert_pem);
		if (!status)
			status = store_sync_dir(dir);
		if (status)
			snprintf(err, err_n, "cannot write the certificate %s: %s", cert, strerror(-status));
		else
			log_info("tls.self_signed", "file=\"%s\" next=\"browsers will warn; set tls.certificate and tls.key\"", cert);
	}
	arena_fini(&a);
	return status;
}

/* The pair in DIR/tls, made when absent. */
static int load_self_signed(const char *data_dir, struct str domain, struct tls_ctx **out, char *err, size_t err_n)
{
	char dir[PATH_BYTES], cert[PATH_BYTES], key[PATH_BYTES];
	int status;

	if (memchr(domain.p, '/', domain.n) || domain.p[0] == '.' ||
		snprintf(dir, sizeof(dir), "%s/tls", data_dir) >= (int)sizeof(dir) - 300) {
		snprintf(err, err_n, "%.*s cannot be the domain of a certificate; choose another server.domain", STR_ARG(domain));
		return -EINVAL;
	}
	snprintf(cert, sizeof(cert), "%.3700s/%.*s.crt", dir, STR_ARG(domain));
	snprintf(key, sizeof(key), "%.3700s/%.*s.key", dir, STR_ARG(domain));
	if (access(cert, F_OK) || access(key, F_OK)) {
		status = make_pair(dir, domain, cert, key, err, err_n);
		if (status)
			return status;
	}
	return tls_ctx_new(cert, key, out, err, err_n);
}

int certificate_load(const struct config *c, const char *data_dir, struct str domain, struct tls_ctx **out, char *err, size_t err_n)
{
	const char *given = config_str(c, "tls.certificate");

	if (given[0])
		return tls_ctx_new(given, config_str(c, "tls.key"), out, err, err_n);
	return load_self_signed(data_dir, domain, out, err, err_n);
}

/* NOLINTNEXTLINE(readability-function-size): a struct for one call would hide what it takes. */
int certificate_load_other(const struct config *c, const char *data_dir, struct str domain, struct tls_ctx *main, struct tls_ctx **out,
	char *err, size_t err_n)
{
	const char *dir = config_str(c, "tls.directory");
	char cert[PATH_BYTES], key[PATH_BYTES];

	if (memchr(domain.p, '/', domain.n)) {
		snprintf(err, err_n, "%.*s cannot be the domain of a certificate", STR_ARG(domain));
		return -EINVAL;
	}
	snprintf(cert, sizeof(cert), "%.3700s/%.*s.crt", dir, STR_ARG(domain));
	snprintf(key, sizeof(key), "%.3700s/%.*s.key", dir, STR_ARG(domain));
	if (dir[0] && access(cert, F_OK) == 0)
		return tls_ctx_new(cert, key, out, err, err_n);
	if (config_str(c, "tls.certificate")[0] && tls_ctx_covers(main, domain)) {
		*out = tls_ctx_ref(main);
		return 0;
	}
	return load_self_signed(data_dir, domain, out, err, err_n);
}
