/* awsconf - AWS's configuration */
#include "awsconf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "mem.h"

static struct str trimmed(const char *p, size_t n)
{
	while (n && strchr(" \t\r", *p)) {
		p++;
		n--;
	}
	while (n && strchr(" \t\r", p[n - 1]))
		n--;
	return (struct str){ p, n };
}

char *awsconf_value(const char *text, const char *section, const char *key)
{
	bool inside = false;

	while (*text) {
		size_t len = strcspn(text, "\n");
		struct str line = trimmed(text, len);
		const char *eq = line.len ? memchr(line.data, '=', line.len) : NULL;

		if (line.len > 2 && line.data[0] == '[') {
			struct str name = trimmed(line.data + 1, line.len - 2);

			inside = str_eqz(name, section);
		} else if (inside && eq &&
			   line.data == text && /* an indented line belongs to a nested key */
			   str_eqz(trimmed(line.data, (size_t)(eq - line.data)), key)) {
			struct str v = trimmed(eq + 1, (size_t)(line.data + line.len - eq - 1));

			return xstrndup(v.data, v.len);
		}
		text += len + (text[len] == '\n');
	}
	return NULL;
}

static const char *env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

/* The file's text, empty if there is none. */
static void read_config(const char *variable, const char *in_home, struct buf *text)
{
	struct buf path = { 0 };
	struct err ignored;

	if (env(variable))
		buf_addz(&path, env(variable));
	else if (env("HOME"))
		buf_addf(&path, "%s/%s", env("HOME"), in_home);
	if (path.len && access(path.data, R_OK) == 0 &&
	    file_read(path.data, FILE_SMALL, text, &ignored) != OK)
		buf_reset(text);
	buf_addch(text, '\n');
	buf_release(&path);
}

static char *first(const char *a, const char *b, char *c)
{
	if (!a && !b)
		return c;
	free(c);
	return xstrdup(a ? a : b);
}

static int check_endpoint(const char *url, struct err *e)
{
	static const char of_host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_:[]";
	size_t scheme = strncmp(url, "http://", 7) == 0	 ? 7 :
			strncmp(url, "https://", 8) == 0 ? 8 :
							   0;
	const char *p = url + scheme, *host = p;

	if (strchr(url, '@')) {
		err_set(e, USAGE, "the URL of the S3 endpoint holds a user name");
		return err_hint(e, USAGE, "Write the keys into AWS_ACCESS_KEY_ID and "
					  "AWS_SECRET_ACCESS_KEY.");
	}
	p += strspn(p, of_host);
	if (scheme && p > host && (*p == '/' || !*p) && !strpbrk(p, "?#%\\ \t"))
		return OK;
	err_set(e, USAGE, "the S3 endpoint \"%s\" is no URL of a server", url);
	return err_hint(e, USAGE, "Write https://host, or http://host:port.");
}

int awsconf_read(struct awsconf *c, struct err *e)
{
	struct buf credentials = { 0 }, config = { 0 }, section = { 0 };
	const char *profile = env("AWS_PROFILE") ? env("AWS_PROFILE") : "default";
	int rc = OK;

	*c = (struct awsconf){ 0 };
	read_config("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials", &credentials);
	read_config("AWS_CONFIG_FILE", ".aws/config", &config);
	buf_addf(&section, strcmp(profile, "default") == 0 ? "%s" : "profile %s", profile);
	if (env("AWS_ACCESS_KEY_ID") && env("AWS_SECRET_ACCESS_KEY")) {
		c->access_key = xstrdup(env("AWS_ACCESS_KEY_ID"));
		c->secret_key = xstrdup(env("AWS_SECRET_ACCESS_KEY"));
		c->token = env("AWS_SESSION_TOKEN") ? xstrdup(env("AWS_SESSION_TOKEN")) : NULL;
	} else {
		const char *text = credentials.data, *where = profile;

		c->access_key = awsconf_value(text, where, "aws_access_key_id");
		if (!c->access_key) {
			text = config.data;
			where = section.data;
			c->access_key = awsconf_value(text, where, "aws_access_key_id");
		}
		c->secret_key = awsconf_value(text, where, "aws_secret_access_key");
		c->token = awsconf_value(text, where, "aws_session_token");
	}
	c->region = first(env("AWS_REGION"), env("AWS_DEFAULT_REGION"),
			  awsconf_value(config.data, section.data, "region"));
	if (!c->region)
		c->region = xstrdup("us-east-1");
	c->endpoint = first(env("AWS_ENDPOINT_URL_S3"), env("AWS_ENDPOINT_URL"),
			    awsconf_value(config.data, section.data, "endpoint_url"));
	while (c->endpoint && *c->endpoint && c->endpoint[strlen(c->endpoint) - 1] == '/')
		c->endpoint[strlen(c->endpoint) - 1] = '\0';
	if (c->endpoint)
		rc = check_endpoint(c->endpoint, e);
	if (rc == OK && (!c->access_key || !c->secret_key)) {
		err_set(e, NOT_PERMITTED, "no AWS credentials for profile \"%s\"", profile);
		rc = err_hint(e, NOT_PERMITTED,
			      "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them "
			      "into ~/.aws/credentials.");
	}
	buf_release(&credentials);
	buf_release(&config);
	buf_release(&section);
	return rc;
}

void awsconf_release(struct awsconf *c)
{
	if (c->secret_key)
		explicit_bzero(c->secret_key, strlen(c->secret_key));
	free(c->access_key);
	free(c->secret_key);
	free(c->token);
	free(c->region);
	free(c->endpoint);
	*c = (struct awsconf){ 0 };
}
