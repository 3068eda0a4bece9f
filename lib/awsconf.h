/* awsconf.h - credentials, region and endpoint, found where AWS's own tools find them.
 *
 *   credentials  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; then the profile
 *                (AWS_PROFILE, default "default") in AWS_SHARED_CREDENTIALS_FILE
 *                (~/.aws/credentials), then in AWS_CONFIG_FILE (~/.aws/config)
 *   region       AWS_REGION, AWS_DEFAULT_REGION, the profile's, us-east-1
 *   endpoint     AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile's endpoint_url, AWS itself
 *
 * An endpoint is http or https, a host, perhaps a port and a path, and nothing else: it may be
 * printed. */
#ifndef STARPIPE_AWSCONF_H
#define STARPIPE_AWSCONF_H

#include "err.h"

struct awsconf {
	char *access_key, *secret_key, *token; /* token may be NULL */
	char *region;
	char *endpoint; /* without a slash at the end; NULL: AWS */
};

/* NOT_PERMITTED with a hint where there are no credentials, USAGE where an endpoint is none; one
 * that holds a user's name or a password is not shown. */
int awsconf_read(struct awsconf *c, struct err *e);
void awsconf_release(struct awsconf *c);

/* A key's value in a section of an INI text, or NULL; free it. For tests. */
char *awsconf_value(const char *text, const char *section, const char *key);

#endif
