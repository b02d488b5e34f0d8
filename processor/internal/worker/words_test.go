package worker

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace/millrace/processor/internal/graph"
	"github.com/millrace/millrace/state"
)

// What a broker says beside its error code is passed on: the code alone does not
// say which topic is in the way, or which policy.
func TestTheBrokersWordsAreShown(t *testing.T) {
	t.Run("a topic that is refused", func(t *testing.T) {
		c := newCluster(t, 1, "in", "out")
		c.ControlKey(int16(kmsg.CreateTopics), func(r kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			resp, words := kmsg.NewPtrCreateTopicsResponse(), "Topic 'app-counts-changelog' collides with existing topics: app_counts-changelog"
			resp.SetVersion(r.GetVersion())
			for _, topic := range r.(*kmsg.CreateTopicsRequest).Topics {
				refused := kmsg.NewCreateTopicsResponseTopic()
				refused.Topic, refused.ErrorCode, refused.ErrorMessage = topic.Topic, kerr.InvalidTopicException.Code, &words
				resp.Topics = append(resp.Topics, refused)
			}
			return resp, nil, true
		})
		mustFail(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)), "INVALID_TOPIC_EXCEPTION", "collides with existing topics: app_counts-changelog")
	})
	t.Run("settings that may not be read", func(t *testing.T) {
		c := newCluster(t, 1, "in", "out")
		if _, err := kadm.NewClient(c.client()).CreateTopic(context.Background(), 1, 1, nil, "app-counts-changelog"); err != nil {
			t.Fatal(err)
		}
		c.ControlKey(int16(kmsg.DescribeConfigs), func(r kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			resp, words := kmsg.NewPtrDescribeConfigsResponse(), "ask the owners of the topic"
			resp.SetVersion(r.GetVersion())
			for _, asked := range r.(*kmsg.DescribeConfigsRequest).Resources {
				refused := kmsg.NewDescribeConfigsResponseResource()
				refused.ResourceName, refused.ResourceType = asked.ResourceName, asked.ResourceType
				refused.ErrorCode, refused.ErrorMessage = kerr.PolicyViolation.Code, &words
				resp.Resources = append(resp.Resources, refused)
			}
			return resp, nil, true
		})
		mustFail(t, c.config(counting(t, graph.ErrorPolicy{}), state.NewMemory(), newWitness(t)), "POLICY_VIOLATION", "ask the owners of the topic")
	})
}
