-- No post is published before it is due: rows that this returns fail `make verify-staging`.
SELECT id FROM social_posts WHERE published_at < due_at;
