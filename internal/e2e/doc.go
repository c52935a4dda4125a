// Package e2e plays whole incidents and attacks as scripts: the app as cmd/bot runs it, a simulated Slack workspace, a
// simulated Connect worker and Redis. Each script in testdata reads like a story.
package e2e
